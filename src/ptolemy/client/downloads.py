"""Files of exports, brought here whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import httpx

from ptolemy.client.answers import unreachable
from ptolemy.client.errors import DamagedFile, ForbiddenError, PtolemyError
from ptolemy.client.jobs import path_of
from ptolemy.client.progress import Progress, Tell

if TYPE_CHECKING:
    from ptolemy.client.client import Client

_PARTIAL = 206
_TRIES_OF_THE_WHOLE = 2


def download(client: Client, job: dict[str, Any], path: Path, tell: Tell) -> dict[str, Any]:
    """The file of a completed export, at `path`: whole, and what the job's SHA-256 says, or not there at all."""
    if job["download_url"] is None:
        raise PtolemyError(f"the file of this export of {job['resource_type']} is kept no longer: export again")
    part = path.with_name(f".{path.name}.{job['id']}.part")
    try:
        with part.open("w+b") as file:
            for _ in range(_TRIES_OF_THE_WHOLE):
                if _fetch(client, job, file, tell) == job["sha256"]:
                    break
            else:
                raise DamagedFile(f"{path.name} arrived damaged twice: its SHA-256 isn't {job['sha256']}")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return job | {"path": str(path)}


def _fetch(client: Client, job: dict[str, Any], file: BinaryIO, tell: Tell) -> str:
    """Writes the file from its start, and answers its SHA-256; where the line breaks it is taken up there."""
    digest, url, failures = hashlib.sha256(), job["download_url"], 0
    file.seek(0)
    file.truncate()
    while (before := file.tell()) < job["file_size"]:
        try:
            for block in _blocks(client, url, before):
                file.write(block)
                digest.update(block)
                tell(Progress(job["resource_type"], "downloading", file.tell(), job["file_size"], "bytes"))
            fault: Exception = PtolemyError(f"the file has less than the {job['file_size']} bytes that were exported")
        except httpx.TransportError as error:
            fault = unreachable(client, error)
        except ForbiddenError as error:
            # The address was good for 15 minutes; each look at the job brings a fresh one.
            fault, url = error, client.ask("GET", path_of(job))["download_url"]
        failures = 0 if file.tell() > before else failures + 1
        if failures == client.patience.attempts:
            raise fault
        if file.tell() < job["file_size"]:
            time.sleep(client.patience.wait_seconds(failures))
    return digest.hexdigest()


def _blocks(client: Client, url: str, start: int) -> Iterator[bytes]:
    """What is behind `start`. The address is permission enough: it may be another server's, and gets no token."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with client.stream("GET", url, headers=headers, auth=None) as response:
        response.raise_for_status()
        skipped = start if response.status_code != _PARTIAL else 0
        for block in response.iter_raw():
            kept = block[skipped:]
            skipped -= len(block) - len(kept)
            if kept:
                yield kept
