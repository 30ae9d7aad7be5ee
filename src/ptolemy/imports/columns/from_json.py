"""Scalar values in JSON, an array or an object a line, as columns of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from ptolemy.formats.columns import ColumnsBlock
from ptolemy.formats.json_array import decode_element, decoded_if_sound, elements, not_an_object, read_blocks
from ptolemy.formats.ndjson import LinesBlock, count, read_line_blocks, rows_of
from ptolemy.formats.rows import FileRow
from ptolemy.imports.row_errors import bounded
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
_NUMBERS = {str, int, Decimal, type(None)}
"""What a value may be."""
_VALUE, _FIELD_VALUES = attrgetter("value"), attrgetter("field_values")


class _New(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A new value, its instrument named by the identifier."""

    instrument: str | None = None
    type_id: str | None = None
    timestamp: str | None = None
    value: Any = None


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A value of a backup, in the order of exports, which is found the fastest; or one with custom fields."""

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


class _Decoder:
    """Takes rows for new values until one of them is more: they cost a third less."""

    def __init__(self, of: Callable[[type[_New | _Row]], Callable[[bytes], list[Any]]]) -> None:
        self._new, self._any = of(_New), of(_Row)
        self._are_new = True

    def __call__(self, content: bytes) -> list[_New | _Row]:
        if self._are_new:
            try:
                return self._new(content)
            except msgspec.ValidationError:
                self._are_new = False
        return self._any(content)


def _array_of(row: type[_New | _Row]) -> Callable[[bytes], list[Any]]:
    return msgspec.json.Decoder(list[row], float_hook=Decimal).decode  # type: ignore[valid-type] # a type all the same


def _lines_of(row: type[_New | _Row]) -> Callable[[bytes], list[Any]]:
    return msgspec.json.Decoder(row, float_hook=Decimal).decode_lines


def read_json_columns(source: BinaryIO) -> Iterator[ColumnsBlock]:
    """The rows in blocks; `field_values` is a column of JSON text, null where there are none."""
    for block in read_blocks(source, _Decoder(_array_of)):
        columns = None if block.rows is None else _columns(block.rows)
        if block.rows is None or columns is None:
            yield block_of_elements(block.first_row, block.content)
        else:
            # Not the block itself: its rows would stay until the columns are written.
            again = partial(_elements, block.first_row, block.content)
            yield _block(columns, len(block.rows), block.first_row, again)


def read_ndjson_columns(source: BinaryIO) -> Iterator[ColumnsBlock]:
    """The same of NDJSON, where rows are told by their lines too."""
    decode = _Decoder(_lines_of)
    for block in read_line_blocks(source):
        rows = decoded_if_sound(block.content, decode)
        columns = None if rows is None or len(rows) != count(block) else _columns(rows)
        if rows is None or columns is None:
            yield block_of_lines(block)
        else:
            offset = block.line - block.first_row if len(rows) == block.content.count(b"\n") else None
            yield _block(
                columns, len(rows), block.first_row, partial(_lines, block), line_offset=offset, has_lines=True
            )


def block_of_elements(first_row: int, array: bytes) -> ColumnsBlock:
    """A block in which a row may be none, each row read by itself."""
    again = partial(_elements, first_row, array)
    return _one_by_one(first_row, again(), again, has_lines=False)


def block_of_lines(block: LinesBlock) -> ColumnsBlock:
    """The same of NDJSON."""
    return _one_by_one(block.first_row, _lines(block), partial(_lines, block), has_lines=True)


def _block(
    columns: Mapping[str, pa.Array[Any]],
    rows: int,
    first_row: int,
    again: Callable[[], Sequence[FileRow]],
    *,
    line_offset: int | None = None,
    has_lines: bool = False,
) -> ColumnsBlock:
    numbers = np.arange(first_row, first_row + rows, dtype=np.int64)
    return ColumnsBlock(first_row, rows, numbers, columns, (), again, line_offset, has_lines)


def _one_by_one(
    first_row: int, file_rows: Sequence[FileRow], again: Callable[[], Sequence[FileRow]], *, has_lines: bool
) -> ColumnsBlock:
    sound: list[_Row] = []
    numbers: list[int] = []
    faults = [row for row in file_rows if row.fault]
    for row in file_rows:
        if row.fault:
            continue
        wrong = bounded(_wrong(row.values))
        faults += [FileRow(row.number, row.line, {}, fault) for fault in wrong]
        if not wrong:
            sound.append(_Row(**row.values))
            numbers.append(row.number)
    columns = _columns(sound)
    assert columns is not None  # noqa: S101 - `_wrong` has looked
    numbered = np.array(numbers, dtype=np.int64)
    return ColumnsBlock(first_row, len(file_rows), numbered, columns, faults, again, has_lines=has_lines)


def _elements(first_row: int, array: bytes) -> Sequence[FileRow]:
    rows = []
    for number, element in enumerate(elements(array), first_row):
        value = decode_element(element, number)
        if isinstance(value, dict):
            rows.append(FileRow(number, None, value))
        else:
            rows.append(FileRow(number, None, {}, value if isinstance(value, FieldError) else not_an_object(value)))
    return rows


def _lines(block: LinesBlock) -> Sequence[FileRow]:
    return list(rows_of(block))


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


def _columns(rows: Sequence[_New | _Row]) -> dict[str, pa.Array[Any]] | None:
    """By column; None where a value is nothing that a number may be written as."""
    values = list(map(_VALUE, rows))
    kinds = set(map(type, values))
    if not kinds <= _NUMBERS:
        return None
    if kinds - {str, type(None)}:
        values = [value if value is None else str(value) for value in values]
    columns = {"value": pa.array(values, pa.string())}
    if not isinstance(next(iter(rows), None), _Row):
        return columns | {name: _texts(rows, name) for name in _TEXTS if name in _New.__struct_fields__}
    filled = [msgspec.json.encode(given).decode() if given else None for given in map(_FIELD_VALUES, rows)]
    columns["field_values"] = pa.array(filled, pa.string())
    return columns | {name: _texts(rows, name) for name in _TEXTS}


def _texts(rows: Sequence[_New | _Row], name: str) -> pa.Array[Any]:
    return pa.array(list(map(attrgetter(name), rows)), pa.string())
