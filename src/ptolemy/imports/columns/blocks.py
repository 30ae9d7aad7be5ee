"""A file of scalar values as blocks of columns, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.formats.columns import ColumnsBlock, read_csv_columns
from ptolemy.formats.csv import unguard
from ptolemy.formats.detection import Format
from ptolemy.formats.parquet import ParquetReader
from ptolemy.formats.rows import UNLIMITED
from ptolemy.imports.columns.from_json import read_json_columns, read_ndjson_columns

_IDENTIFIERS = ("instrument_id", "instrument", "type_id")


def read_columns(
    source: BinaryIO, file_format: Format, *, limit_bytes: int = UNLIMITED
) -> tuple[Sequence[str] | None, Iterator[ColumnsBlock]]:
    """The columns that the file declares, if its format does, and its rows. `limit_bytes` bounds unpacked Parquet."""
    if file_format == "csv":
        return read_guarded(source)
    if file_format == "parquet":
        reader = ParquetReader(source, limit_bytes=limit_bytes)
        return reader.columns, reader.blocks()
    return None, (read_ndjson_columns if file_format == "ndjson" else read_json_columns)(source)


def read_guarded(
    source: BinaryIO, *, only: Callable[[str], bool] = lambda column: True
) -> tuple[Sequence[str], Iterator[ColumnsBlock]]:
    """CSV whose identifiers are what they were before a spreadsheet was kept from running them."""
    columns, blocks = read_csv_columns(source, only=only)
    return columns, map(_unguarded, blocks)


def _unguarded(block: ColumnsBlock) -> ColumnsBlock:
    guarded = {
        name: cells
        for name in _IDENTIFIERS
        if (cells := block.columns.get(name)) is not None and pc.any(pc.starts_with(cells, "'")).as_py()
    }
    if not guarded:
        return block
    return replace(block, columns={**block.columns, **{name: _mapped(cells) for name, cells in guarded.items()}})


def _mapped(cells: pa.Array[Any]) -> pa.Array[Any]:
    encoded = cells.dictionary_encode()
    return pa.array([unguard(cell) for cell in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)
