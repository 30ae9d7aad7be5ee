"""Files on their way to the server: small ones in one request, others in parts that may be sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ptolemy.client.errors import DamagedFile, PtolemyError, TooLargeError
from ptolemy.client.progress import Progress, Tell

if TYPE_CHECKING:
    from ptolemy.client.client import Client

_ONE_REQUEST_BYTES = 8 << 20
"""Above it a broken line would cost more than the requests that parts take."""
_PART_BYTES = 8 << 20
_BLOCK_BYTES = 64 << 10
_MOST_PARTS = 10_000
_PART_TRIES = 3
WHOLE_FILE_SECONDS = 600
"""Before it answers the server reads the whole file once more."""


def send_import(client: Client, path: Path, asked: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """The queued import of the file."""
    fields = {name: _field(value) for name, value in asked.items() if value is not None}
    if path.stat().st_size <= _ONE_REQUEST_BYTES:
        try:
            return _in_one_request(client, path, fields)
        except TooLargeError:
            pass  # this server takes less in one request; in parts it takes any size
    upload_id = upload(client, path, None, asked["resource_type"], tell)
    form = {name: (None, value) for name, value in {**fields, "upload_id": upload_id}.items()}
    return client.ask("POST", "/imports", files=form, timeout=WHOLE_FILE_SECONDS)


def _in_one_request(client: Client, path: Path, fields: Mapping[str, str]) -> dict[str, Any]:
    with path.open("rb") as file:
        return client.ask("POST", "/imports", files={"file": (path.name, file)}, data=fields)


def _field(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def upload(client: Client, path: Path, upload_id: str | None, name: str, tell: Tell) -> str:
    """Sends the parts that aren't there yet; the server holds the whole against its SHA-256 when it is used."""
    size = path.stat().st_size
    if upload_id is None:
        announced = {"file_name": path.name, "size": size, "sha256": _sha256(path)}
        begun = client.ask("POST", "/uploads", json=announced)
    else:
        begun = client.ask("GET", f"/uploads/{upload_id}")
    there = {part["number"]: part["sha256"] for part in begun["parts"]}
    part_bytes = _part_bytes(size, begun)
    with path.open("rb") as file:
        for number in range(1, max(1, -(-size // part_bytes)) + 1):
            part = _Part.read(file, part_bytes)
            if there.get(number) != part.sha256:
                _send_part(client, f"/uploads/{begun['id']}/parts/{number}", part)
            tell(Progress(name, "uploading", file.tell(), size, "bytes"))
    return str(begun["id"])


def _part_bytes(size: int, begun: Mapping[str, Any]) -> int:
    """Those of an upload that is taken up again have the size of the first that has arrived."""
    first = next((part["size"] for part in begun["parts"] if part["number"] == 1), None)
    part_bytes = first or max(min(_PART_BYTES, begun["largest_part"]), -(-size // _MOST_PARTS))
    if part_bytes > begun["largest_part"]:
        raise PtolemyError(
            f"the file is larger than {_MOST_PARTS} parts of {begun['largest_part']} bytes:"
            " the server's operator has to raise PTOLEMY_MAX_UPLOAD"
        )
    return int(part_bytes)


@dataclass(frozen=True)
class _Part:
    """In blocks: what is sent whole is copied whole, several times."""

    blocks: list[bytes]
    size: int
    sha256: str

    @classmethod
    def read(cls, file: BinaryIO, size: int) -> _Part:
        blocks, left, digest = [], size, hashlib.sha256()
        while left and (block := file.read(min(left, _BLOCK_BYTES))):
            blocks.append(block)
            digest.update(block)
            left -= len(block)
        return cls(blocks, size - left, digest.hexdigest())


def _send_part(client: Client, path: str, part: _Part) -> None:
    for _ in range(_PART_TRIES):
        kept = client.ask("PUT", path, content=part.blocks, headers={"Content-Length": str(part.size)})
        if kept["sha256"] == part.sha256:
            # Requests and answers refer to each other: they, and the part, would wait for the garbage collector.
            part.blocks.clear()
            return
    raise DamagedFile(f"{path[1:]} arrives damaged: something between here and the server changes it")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
