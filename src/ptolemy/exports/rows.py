"""Records to the rows of a file, for every resource."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa

from ptolemy.database.sql import Sql, name, numbered
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.fields import Field, Items
from ptolemy.engine.fields.type_values import Values
from ptolemy.engine.interchange import (
    CustomFields,
    Interchange,
    Name,
    cell_value,
    column_name,
    json_value,
)
from ptolemy.exports.cells import NumberTypes, cell_kinds
from ptolemy.formats.csv import CsvWriter, guard
from ptolemy.formats.detection import Format
from ptolemy.formats.json_array import JsonWriter
from ptolemy.formats.ndjson import NdjsonWriter
from ptolemy.formats.parquet import ParquetWriter
from ptolemy.kernel.json import decode_exact, encode

_AT_ONCE = 500

_Text = Callable[[str | None], str | None]
"""What is done to free text on its way into a cell."""


@dataclass(frozen=True)
class RowWriter:
    """Writes rows of one resource in one format; `end` completes the file."""

    write: Callable[[Sequence[Row]], None]
    end: Callable[[], None]


async def rows(tx: Transaction, interchange: Interchange, wanted: Sql) -> AsyncIterator[list[Row]]:
    """The wanted records in order of id, with the identifiers of what they refer to, some hundred at a time."""
    statement = _select(interchange, wanted)
    cursor = await tx.driver.cursor(numbered(statement.text), *statement.args)
    while batch := await cursor.fetch(_AT_ONCE):
        yield batch


def row_writer(
    out: BinaryIO, file_format: Format, interchange: Interchange, custom: CustomFields, numbers: NumberTypes
) -> RowWriter:
    if file_format == "csv":
        return csv_writer(out, interchange, custom)
    if file_format == "parquet":
        return parquet_writer(out, interchange, custom, numbers)
    return json_writer(out, interchange, custom, lines=file_format == "ndjson")


def json_writer(out: BinaryIO, interchange: Interchange, custom: CustomFields, *, lines: bool = False) -> RowWriter:
    """One array, or an object a line."""
    writer = NdjsonWriter(out) if lines else JsonWriter(out)

    def document(row: Row) -> dict[str, Any]:
        return {column_name(column): _json(interchange, custom, column, row) for column in interchange.columns}

    return RowWriter(lambda rows: writer.write([encode(document(row)) for row in rows]), writer.end)


def csv_writer(out: BinaryIO, interchange: Interchange, custom: CustomFields) -> RowWriter:
    writer = CsvWriter(out, list(cell_kinds(interchange, custom)))
    cells = partial(_cells_of, interchange, custom, guard)
    return RowWriter(lambda rows: writer.write([cells(row) for row in rows]), lambda: None)


def parquet_writer(out: BinaryIO, interchange: Interchange, custom: CustomFields, numbers: NumberTypes) -> RowWriter:
    writer = ParquetWriter(out, cell_kinds(interchange, custom), numbers)
    cells = partial(_cells_of, interchange, custom, lambda text: text)

    def write(rows: Sequence[Row]) -> None:
        writer.write([pa.array(column, pa.string()) for column in zip(*map(cells, rows), strict=True)])

    return RowWriter(write, writer.end)


def _cells_of(interchange: Interchange, custom: CustomFields, text: _Text, row: Row) -> list[str | None]:
    found: list[str | None] = []
    for column in interchange.columns:
        found += _cells(interchange, custom, text, column, row)
    return found


def _json(interchange: Interchange, custom: CustomFields, column: Field[Any] | Name, row: Row) -> Any:
    if isinstance(column, Name):
        return row[f"named_{column.column}"]
    if column is not interchange.custom:
        return json_value(column, row[column.name])
    values = custom.ordered(row[interchange.custom.type.name], decode_exact(row[column.name]))
    if isinstance(column, Items):
        return [{"field_key": key, "value": value} for key, value in values.items()]
    return values


def _cells(
    interchange: Interchange, custom: CustomFields, text: _Text, column: Field[Any] | Name, row: Row
) -> Sequence[str | None]:
    if isinstance(column, Name):
        return (text(row[f"named_{column.column}"]),)
    if column is interchange.custom:
        type_id = row[interchange.custom.type.name]
        values: Values = decode_exact(row[column.name])
        return [text(values.get(key)) if custom.is_text(type_id, key) else values.get(key) for key in custom.keys]
    cell = cell_value(column, row[column.name])
    return (text(cell) if column.is_text else cell,)


def _select(interchange: Interchange, wanted: Sql) -> Sql:
    """One statement: the records, each joined to what its identifiers in the file are taken from."""
    picked, joins = ["t.*"], dict[tuple[str, ...], str]()
    for each in interchange.names:
        alias, path = "t", tuple[str, ...]()
        for reference in each.path:
            path = (*path, reference.name)
            inner, alias = alias, "_".join(path)
            joins[path] = (
                f"left join {reference.target.table} {alias}"
                f" on {alias}.workspace_id = t.workspace_id and {alias}.id = {inner}.{reference.name}"
            )
        picked.append(f"{alias}.{each.path[-1].target.named_by} as named_{name(each.column)}")
    return Sql(
        f"select {', '.join(picked)}"
        f" from (select * from {interchange.resource.table} where {wanted.text}) t"
        f" {' '.join(joins.values())} order by t.id",
        wanted.args,
    )
