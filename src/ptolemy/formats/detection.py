"""What a file is, by its content; its name is not asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ptolemy.formats import gzip
from ptolemy.formats.rows import UnreadableFile

Format = Literal["csv", "json"]
BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_LOOKED_AT_BYTES = 64 << 10

_OTHERS = {
    b"PK\x03\x04": "a ZIP archive or a spreadsheet (XLSX): save the sheet as CSV, or unpack the archive",
    b"PAR1": "Parquet: convert it to CSV or a JSON array",
    b"\xff\xfe": "UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "UTF-16 text: save it as UTF-8",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: compress it with gzip, or not at all",
    b"BZh": "compressed with bzip2: compress it with gzip, or not at all",
    b"\xfd7zXZ": "compressed with xz: compress it with gzip, or not at all",
    b"<": "XML or HTML: convert it to CSV or a JSON array",
    b"{": "one JSON object, or one a line: put the objects into one array, [{…}, {…}]",
}


@dataclass(frozen=True)
class Detected:
    format: Format
    gzipped: bool


def detect(path: Path) -> Detected:
    """The format and the compression of a file; `UnreadableFile` names what it is where it is neither CSV nor JSON."""
    with path.open("rb") as file:
        head = file.read(_LOOKED_AT_BYTES)
        gzipped = head.startswith(gzip.MAGIC)
        if gzipped:
            file.seek(0)
            with gzip.inflate(file, limit_bytes=1 << 20) as inflated:
                head = inflated.read(_LOOKED_AT_BYTES)
    return Detected(_format(head), gzipped)


def open_plain(path: Path, detected: Detected, *, limit_bytes: int) -> BinaryIO:
    """The file without its compression; reading past `limit_bytes` raises `TooLarge`."""
    file = path.open("rb")
    return gzip.inflate(file, limit_bytes=limit_bytes) if detected.gzipped else file


def _format(head: bytes) -> Format:
    text = head.removeprefix(BOM).lstrip(_BLANK)
    for magic, advice in _OTHERS.items():
        if text.startswith(magic):
            raise UnreadableFile("unknown_format", f"the file must be CSV or a JSON array, this is {advice}")
    if not text:
        raise UnreadableFile("empty_file", "the file is empty: CSV needs a header, JSON an array")
    if text.startswith(b"["):
        return "json"
    if b"\x00" in head:
        raise UnreadableFile(
            "unknown_format", "the file must be CSV or a JSON array, this is neither: it holds NUL bytes"
        )
    return "csv"
