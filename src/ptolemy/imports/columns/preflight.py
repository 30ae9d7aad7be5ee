"""What a file of scalar values speaks of, before its first row goes in: of all its columns, only those that tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.formats.columns import ColumnsBlock
from ptolemy.formats.detection import Format
from ptolemy.formats.json_array import decoded_if_sound, read_blocks
from ptolemy.formats.ndjson import read_line_blocks
from ptolemy.formats.parquet import ParquetReader
from ptolemy.formats.rows import UNLIMITED
from ptolemy.imports.columns.blocks import read_guarded
from ptolemy.imports.columns.from_json import block_of_elements, block_of_lines
from ptolemy.imports.preflight import Spoken
from ptolemy.kernel.json import decode_exact
from ptolemy.resources.time_series_values import TimeSeriesValues

_FIELD = "field."
_Found = dict[str, set[str]]


def spoken_values(
    source: BinaryIO, file_format: Format, *, limit_bytes: int = UNLIMITED
) -> tuple[Sequence[str] | None, Spoken]:
    """The declared columns, and the series of the rows that carry an `id`, each with the keys of its fields.

    Nothing of a file whose first row carries none: that is no backup.
    """
    columns, blocks = _telling(source, file_format, limit_bytes)
    found: _Found = defaultdict(set)
    first = next(filter(_count, blocks), None)
    if first is not None and _begins_with_id(first):
        for each in chain([first], blocks):
            _hear(each, found)
    return columns, {TimeSeriesValues.type_id: found}


def _telling(
    source: BinaryIO, file_format: Format, limit_bytes: int
) -> tuple[Sequence[str] | None, Iterator[Sequence[_Row] | ColumnsBlock]]:
    if file_format == "json":
        return None, _elements(source)
    if file_format == "ndjson":
        return None, _lines(source)
    if file_format == "csv":
        columns, blocks = read_guarded(source, only=_tells)
    else:
        reader = ParquetReader(source, limit_bytes=limit_bytes)
        columns, blocks = reader.columns, reader.blocks(only=_tells)
    return columns, blocks if "id" in columns else iter(())


def _tells(column: str) -> bool:
    return column in ("id", "type_id") or column.startswith(_FIELD)


class _Row(msgspec.Struct, gc=False):
    id: str | None = None
    type_id: str | None = None
    field_values: dict[str, Any] | None = None


_ARRAY = msgspec.json.Decoder(list[_Row], float_hook=Decimal)
_LINES = msgspec.json.Decoder(_Row, float_hook=Decimal)


def _elements(source: BinaryIO) -> Iterator[Sequence[_Row] | ColumnsBlock]:
    """The rows; a block in which some row is not what a row should be comes by columns: the others are heard."""
    for block in read_blocks(source, _ARRAY.decode):
        yield block_of_elements(block.first_row, block.content) if block.rows is None else block.rows


def _lines(source: BinaryIO) -> Iterator[Sequence[_Row] | ColumnsBlock]:
    for block in read_line_blocks(source):
        rows = decoded_if_sound(block.content, _LINES.decode_lines)
        yield block_of_lines(block) if rows is None else rows


def _count(rows: Sequence[_Row] | ColumnsBlock) -> int:
    return len(rows.numbers) if isinstance(rows, ColumnsBlock) else len(rows)


def _begins_with_id(rows: Sequence[_Row] | ColumnsBlock) -> bool:
    if not isinstance(rows, ColumnsBlock):
        return bool(rows[0].id)
    return "id" in rows.columns and bool(rows.columns["id"][0].as_py())


def _hear(rows: Sequence[_Row] | ColumnsBlock, found: _Found) -> None:
    if isinstance(rows, ColumnsBlock):
        _hear_columns(rows, found)
        return
    for row in rows:
        if row.id and row.type_id is not None:
            keys = found[row.type_id]
            if row.field_values:
                keys.update(row.field_values)


def _hear_columns(block: ColumnsBlock, found: _Found) -> None:
    ids, series = block.columns.get("id"), block.columns.get("type_id")
    if ids is None or series is None or ids.null_count == len(ids):
        return
    recorded = pc.and_(ids.is_valid(), series.is_valid())
    for identifier in series.filter(recorded).unique().to_pylist():
        found[identifier] |= set()
    for name, cells in block.columns.items():
        if (name == "field_values" or name.startswith(_FIELD)) and cells.null_count < len(cells):
            _hear_fields(name, series, cells, pc.and_(recorded, cells.is_valid()), found)


def _hear_fields(
    name: str, series: pa.Array[Any], cells: pa.Array[Any], recorded: pa.Array[Any], found: _Found
) -> None:
    if name.startswith(_FIELD):
        for identifier in series.filter(recorded).unique().to_pylist():
            found[identifier].add(name.removeprefix(_FIELD))
        return
    pairs = set(zip(series.filter(recorded).to_pylist(), cells.filter(recorded).to_pylist(), strict=True))
    for identifier, values in pairs:
        found[identifier] |= decode_exact(values).keys()
