"""The list that `ptolemy backup` writes into a directory of exported files: what each of them must be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from ptolemy.backups.archive.findings import Finding

LISTING = "files.json"


class _File(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,100}\.json$")]
    resource: str
    sha256: str


class _Listing(msgspec.Struct, frozen=True):
    files: list[_File]


def check_listing(directory: Path) -> Iterator[Finding]:
    """What of the directory isn't as its list says. A file may still hold rows that can be read."""
    try:
        listing = msgspec.json.decode((directory / LISTING).read_bytes(), type=_Listing)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        yield Finding(LISTING, "damaged", f"the list of files can't be read: {error}", "the files")
        return
    for file in listing.files:
        path = directory / file.name
        if not path.exists():
            yield Finding(file.name, "incomplete", "the file is missing", "the other files", file.resource)
        elif _sha256(path) != file.sha256:
            message = "its SHA-256 isn't the one that was written down when it was exported"
            yield Finding(file.name, "damaged", message, "the rows that can be read, unproven", file.resource)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
