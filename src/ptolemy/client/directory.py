"""A directory of exported files, with a list of what was written into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptolemy.client.errors import DamagedFile, PtolemyError

LISTING = "files.json"
_FORMAT, _FORMAT_VERSION = "ptolemy-files", 1
_ENDINGS = (".json", ".ndjson", ".csv", ".parquet", ".json.gz", ".ndjson.gz", ".csv.gz")


@dataclass(frozen=True)
class ListedFile:
    """`rows` is None where nobody wrote down how many there are."""

    path: Path
    resource: str
    rows: int | None = None


def write_listing(directory: Path, jobs: Iterable[Mapping[str, Any]]) -> None:
    files = [
        {
            "name": Path(job["path"]).name,
            "resource": job["resource_type"],
            "rows": job["row_count"],
            "bytes": job["file_size"],
            "sha256": job["sha256"],
        }
        for job in jobs
    ]
    document = {"format": _FORMAT, "format_version": _FORMAT_VERSION, "files": files}
    (directory / LISTING).write_text(json.dumps(document, indent=1) + "\n")


def listed_files(directory: Path, order: Sequence[str]) -> list[ListedFile]:
    """The files in the order given: those listed, each there and whole; without a list, those that are there."""
    if (directory / "manifest.json").exists():
        raise PtolemyError(f"{directory} is the archive of a workspace, unpacked: pack it again, and restore the ZIP")
    listing = directory / LISTING
    found = _listed(listing) if listing.exists() else _there(directory, order)
    if not found:
        raise PtolemyError(f"there is no exported file in {directory}")
    for file in found:
        if file.resource not in order:
            raise PtolemyError(f"{file.path.name} holds {file.resource}, which this Ptolemy doesn't know: update it")
    return sorted(found, key=lambda file: order.index(file.resource))


def _listed(listing: Path) -> list[ListedFile]:
    try:
        said = json.loads(listing.read_text())
        if said["format"] != _FORMAT or said["format_version"] != _FORMAT_VERSION:
            raise PtolemyError(f"{listing} has a format that this Ptolemy doesn't know: update it")
        return [_checked(listing.parent, file) for file in said["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"{listing} can't be read: {error}") from None


def _checked(directory: Path, file: Mapping[str, Any]) -> ListedFile:
    path = directory / Path(file["name"]).name
    if not path.exists():
        raise DamagedFile(f"{path.name} is missing in {directory}")
    with path.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != file["sha256"]:
            raise DamagedFile(f"{path.name} is damaged: it isn't what was backed up")
    return ListedFile(path, file["resource"], file["rows"])


def _there(directory: Path, order: Sequence[str]) -> list[ListedFile]:
    paths = ((each, directory / f"{each}{ending}") for each in order for ending in _ENDINGS)
    return [ListedFile(path, each) for each, path in paths if path.exists()]
