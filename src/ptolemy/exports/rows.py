"""Records to the rows of a file, for every resource."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

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
from ptolemy.formats.csv import CsvWriter, guard
from ptolemy.formats.json_array import JsonWriter
from ptolemy.kernel.json import decode_exact, encode

_AT_ONCE = 500


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


def json_writer(out: BinaryIO, interchange: Interchange, custom: CustomFields) -> RowWriter:
    writer = JsonWriter(out)

    def document(row: Row) -> dict[str, Any]:
        return {column_name(column): _json(interchange, custom, column, row) for column in interchange.columns}

    return RowWriter(lambda rows: writer.write([encode(document(row)) for row in rows]), writer.end)


def csv_writer(out: BinaryIO, interchange: Interchange, custom: CustomFields) -> RowWriter:
    header: list[str] = []
    for column in interchange.columns:
        if column is interchange.custom:
            header += [f"{interchange.prefix}{key}" for key in custom.keys]
        else:
            header.append(column_name(column))
    writer = CsvWriter(out, header)

    def cells(row: Row) -> list[str | None]:
        found: list[str | None] = []
        for column in interchange.columns:
            found += _cells(interchange, custom, column, row)
        return found

    return RowWriter(lambda rows: writer.write([cells(row) for row in rows]), lambda: None)


def _json(interchange: Interchange, custom: CustomFields, column: Field[Any] | Name, row: Row) -> Any:
    if isinstance(column, Name):
        return row[f"named_{column.column}"]
    if column is not interchange.custom:
        return json_value(column, row[column.name])
    values = custom.ordered(row[interchange.custom.type.name], decode_exact(row[column.name]))
    if isinstance(column, Items):
        return [{"field_key": key, "value": value} for key, value in values.items()]
    return values


def _cells(interchange: Interchange, custom: CustomFields, column: Field[Any] | Name, row: Row) -> Sequence[str | None]:
    if isinstance(column, Name):
        return (guard(row[f"named_{column.column}"]),)
    if column is interchange.custom:
        type_id = row[interchange.custom.type.name]
        values: Values = decode_exact(row[column.name])
        return [guard(values.get(key)) if custom.is_text(type_id, key) else values.get(key) for key in custom.keys]
    cell = cell_value(column, row[column.name])
    return (guard(cell) if column.is_text else cell,)


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
