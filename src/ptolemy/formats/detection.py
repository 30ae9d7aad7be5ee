"""What a file is, by its content; its name is not asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ptolemy.formats import gzip
from ptolemy.formats.rows import UnreadableFile

Format = Literal["csv", "json", "ndjson", "parquet"]
BOM = b"\xef\xbb\xbf"
NO_LINES = b"\n"
"""What NDJSON of no rows is written as: a file without a byte says nothing."""
_BLANK = b" \t\r\n"
_LOOKED_AT_BYTES = 64 << 10

_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet (XLSX): save the sheet as CSV, or unpack the archive",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: compress it with gzip, or not at all",
    b"BZh": "compressed with bzip2: compress it with gzip, or not at all",
    b"\xfd7zXZ": "compressed with xz: compress it with gzip, or not at all",
    b"<": "XML or HTML: convert it to CSV or JSON",
}
_PARQUET = b"PAR1"
_TAKEN = "CSV, a JSON array, NDJSON or Parquet"


@dataclass(frozen=True)
class Detected:
    format: Format
    gzipped: bool


def detect(path: Path) -> Detected:
    """The format and the compression of a file; `UnreadableFile` names what it is where none of ours."""
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT_BYTES)
        gzipped = head.startswith(gzip.MAGIC)
        if gzipped:
            file.seek(0)
            with gzip.inflate(file, limit_bytes=1 << 20) as inflated:
                head = inflated.read(_LOOKED_AT_BYTES)
    found = _format(head)
    if found == "parquet" and gzipped:
        raise UnreadableFile("unknown_format", "Parquet is compressed inside: send it without gzip around it")
    return Detected(found, gzipped)


def open_plain(path: Path, detected: Detected, *, limit_bytes: int) -> BinaryIO:
    """The file without its compression; reading past `limit_bytes` raises `TooLarge`."""
    file = path.open("rb")
    return gzip.inflate(file, limit_bytes=limit_bytes) if detected.gzipped else file


def _format(head: bytes) -> Format:
    if head.startswith(_PARQUET):
        return "parquet"
    text = head.removeprefix(BOM).lstrip(_BLANK)
    for magic, advice in _OTHERS.items():
        if text.startswith(magic):
            raise UnreadableFile("unknown_format", f"the file must be {_TAKEN}, this is {advice}")
    if head == NO_LINES:
        return "ndjson"
    if not text:
        raise UnreadableFile("empty_file", "the file is empty: CSV needs a header, JSON an array")
    if text.startswith((b"[", b"{")):
        return "json" if text.startswith(b"[") else "ndjson"
    if b"\x00" in head:
        raise UnreadableFile("unknown_format", f"the file must be {_TAKEN}, this is none: it holds NUL bytes")
    return "csv"
