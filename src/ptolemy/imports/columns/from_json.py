"""Scalar values in a JSON array, as columns of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from ptolemy.formats.columns import ColumnsBlock
from ptolemy.formats.json_array import JsonBlock, decode_element, elements, not_an_object, read_blocks
from ptolemy.formats.rows import FileRow
from ptolemy.kernel.problems import FieldError

_TEXTS = {
    "id": "invalid_id",
    "instrument_id": "invalid_reference",
    "instrument": "invalid_identifier",
    "type_id": "invalid_identifier",
    "timestamp": "invalid_timestamp",
    "created_at": "invalid_timestamp",
    "updated_at": "invalid_timestamp",
    "archived_at": "invalid_timestamp",
}
"""The columns that hold text, each with the code of one that doesn't."""


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: str | None = None
    instrument_id: str | None = None
    instrument: str | None = None
    type_id: str | None = None
    timestamp: str | None = None
    value: Any = None
    field_values: dict[str, Any] | None = None
    created_at: str | None = None
    updated_at: str | None = None
    archived_at: str | None = None


_ROWS = msgspec.json.Decoder(list[_Row], float_hook=Decimal)


def read_json_columns(source: BinaryIO) -> Iterator[ColumnsBlock]:
    """The rows in blocks; `field_values` is a column of JSON text, null where there are none."""
    for block in read_blocks(source):
        yield _block(block)


def _block(block: JsonBlock) -> ColumnsBlock:
    rows = _decoded(block)
    if rows is None:
        return _one_by_one(block)
    numbers = np.arange(block.first_row, block.first_row + len(rows), dtype=np.int64)
    again = partial(_file_rows, block)
    return ColumnsBlock(block.first_row, len(rows), numbers, _columns(rows), (), again, has_lines=False)


def _decoded(block: JsonBlock) -> list[_Row] | None:
    """The rows, or None where one of them is not what a row should be."""
    try:
        rows = _ROWS.decode(block.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    plain = {str, int, Decimal, type(None)}
    return rows if {type(row.value) for row in rows} <= plain else None


def _one_by_one(block: JsonBlock) -> ColumnsBlock:
    sound: list[_Row] = []
    numbers: list[int] = []
    file_rows = _file_rows(block)
    faults = [row for row in file_rows if row.fault]
    for row in file_rows:
        if row.fault:
            continue
        wrong = _wrong(row.values)
        faults += [FileRow(row.number, None, {}, fault) for fault in wrong]
        if not wrong:
            sound.append(_Row(**row.values))
            numbers.append(row.number)
    count, numbered = len(file_rows), np.array(numbers, dtype=np.int64)
    again = partial(_file_rows, block)
    return ColumnsBlock(block.first_row, count, numbered, _columns(sound), faults, again, has_lines=False)


def _file_rows(block: JsonBlock) -> Sequence[FileRow]:
    rows = []
    for number, element in enumerate(elements(block), block.first_row):
        value = decode_element(element, number)
        if isinstance(value, dict):
            rows.append(FileRow(number, None, value))
        else:
            rows.append(FileRow(number, None, {}, value if isinstance(value, FieldError) else not_an_object(value)))
    return rows


def _wrong(values: Mapping[str, Any]) -> list[FieldError]:
    """What of a row can't even be a cell of its column."""
    faults = []
    for key, value in values.items():
        if key not in _Row.__struct_fields__:
            faults.append(FieldError(key, "unknown_field", "is no field of a time series value"))
        elif key == "value" and (isinstance(value, bool) or not isinstance(value, str | int | Decimal | None)):
            faults.append(FieldError(key, "invalid_number", "must be a number"))
        elif key == "field_values" and not isinstance(value, dict | None):
            faults.append(FieldError(key, "invalid_field_values", "must be an object of field keys and values"))
        elif key in _TEXTS and not isinstance(value, str | None):
            faults.append(FieldError(key, _TEXTS[key], "must be text"))
    return faults


def _columns(rows: Sequence[_Row]) -> dict[str, pa.Array[Any]]:
    columns = {name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in _TEXTS}
    values = [row.value for row in rows]
    if {type(value) for value in values} - {str, type(None)}:
        values = [value if value is None else str(value) for value in values]
    columns["value"] = pa.array(values, pa.string())
    filled = [msgspec.json.encode(row.field_values).decode() if row.field_values else None for row in rows]
    columns["field_values"] = pa.array(filled, pa.string())
    return columns
