"""The rows of a file, whatever its format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO, NamedTuple

from ptolemy.formats.csv import CsvReader
from ptolemy.formats.detection import Format
from ptolemy.formats.json_array import read_json
from ptolemy.formats.ndjson import read_ndjson
from ptolemy.formats.parquet import ParquetReader
from ptolemy.formats.rows import FileRow


class ReadRows(NamedTuple):
    columns: Sequence[str] | None
    """What the file declares, if its format does."""
    rows: Iterable[FileRow]


def read_rows(source: BinaryIO, file_format: Format, limit_bytes: int) -> ReadRows:
    """To be iterated once. Values are JSON, or cells of text where the file declares its columns."""
    if file_format == "csv":
        reader = CsvReader(source)
        return ReadRows(reader.columns, reader)
    if file_format == "parquet":
        parquet = ParquetReader(source, limit_bytes=limit_bytes)
        return ReadRows(parquet.columns, parquet)
    return ReadRows(None, read_ndjson(source) if file_format == "ndjson" else read_json(source))
