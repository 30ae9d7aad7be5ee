"""A file of scalar values as blocks of columns, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ptolemy.formats.columns import ColumnsBlock, read_csv_columns
from ptolemy.formats.detection import Format
from ptolemy.formats.parquet import ParquetReader
from ptolemy.formats.rows import UNLIMITED
from ptolemy.imports.columns.from_json import read_json_columns, read_ndjson_columns


def read_columns(
    source: BinaryIO, file_format: Format, *, limit_bytes: int = UNLIMITED
) -> tuple[Sequence[str] | None, Iterator[ColumnsBlock]]:
    """The columns that the file declares, if its format does, and its rows. `limit_bytes` bounds unpacked Parquet."""
    if file_format == "csv":
        return read_csv_columns(source)
    if file_format == "parquet":
        reader = ParquetReader(source, limit_bytes=limit_bytes)
        return reader.columns, reader.blocks()
    return None, (read_ndjson_columns if file_format == "ndjson" else read_json_columns)(source)
