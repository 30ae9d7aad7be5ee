"""What kind of cell each column of a file has, for formats that have one column a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa

from ptolemy.database.sql import Sql, joined
from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Boolean, Date, Field, Integer, Number, Timestamp
from ptolemy.engine.interchange import CustomFields, Interchange, Name, column_name
from ptolemy.formats.parquet import Kind

Numbers = Literal["string", "decimal", "float64"]
"""How Parquet holds numbers: exactly as they are, as one decimal type a column, or as the nearest binary fraction."""

NumberTypes = Mapping[str, pa.DataType]
"""The types of the columns whose numbers aren't texts."""

_MOST_DIGITS = 38
"""What readers of Parquet take for a decimal."""


def cell_kinds(interchange: Interchange, custom: CustomFields) -> dict[str, Kind]:
    """The columns of a row of cells, in order: one for each custom field, by its data type where all types agree."""
    found: dict[str, Kind] = {}
    for column in interchange.columns:
        if column is interchange.custom:
            found |= {f"{interchange.prefix}{key}": _custom_kind(custom, key) for key in custom.keys}
        else:
            found[column_name(column)] = _kind(column)
    return found


async def number_types(
    tx: Transaction, interchange: Interchange, custom: CustomFields, wanted: Sql, numbers: Numbers
) -> NumberTypes:
    """The types of the number columns; a decimal has the largest scale of its column among the wanted records.

    A column with numbers that no decimal of 38 digits holds stays text.
    """
    columns = [name for name, kind in cell_kinds(interchange, custom).items() if kind == "number"]
    if numbers == "string" or not columns:
        return {}
    if numbers == "float64":
        return dict.fromkeys(columns, pa.float64())
    table = interchange.resource.table
    values = [_value(interchange, name) for name in columns]
    picked = joined(
        ", ",
        [
            part
            for value in values
            for part in (
                Sql(f"max(scale({value.text}))", value.args),
                Sql(f"max(length(trunc(abs({value.text}))::text))", value.args),
            )
        ],
    )
    row = await tx.row(Sql(f"select {picked.text} from {table} where {wanted.text}", (*picked.args, *wanted.args)))
    assert row is not None  # noqa: S101 - an aggregate has one row
    measured = [number or 0 for number in row.values()]
    return {
        name: pa.decimal128(_MOST_DIGITS, scale)
        for name, scale, whole in zip(columns, measured[::2], measured[1::2], strict=True)
        if scale + whole <= _MOST_DIGITS
    }


def _value(interchange: Interchange, column: str) -> Sql:
    """The number that a column of the file holds, as SQL."""
    if column in interchange.resource.fields:
        return Sql(column)
    assert interchange.custom is not None  # noqa: S101 - only custom fields have columns of other names
    return Sql.of(f"custom_number({interchange.custom.name} ->> ?)", column.removeprefix(interchange.prefix))


def _kind(column: Field[Any] | Name) -> Kind:
    kinds: tuple[tuple[type[Field[Any]], Kind], ...] = (
        (Number, "number"),
        (Boolean, "boolean"),
        (Date, "date"),
        (Timestamp, "timestamp"),
        (Integer, "integer"),
    )
    return next((kind for field, kind in kinds if isinstance(column, field)), "text")


def _custom_kind(custom: CustomFields, key: str) -> Kind:
    found: set[Kind] = {
        definition["data_type"]
        for definitions in custom.by_type.values()
        for known in (definitions.active, definitions.archived)
        if (definition := known.get(key))
    }
    return found.pop() if len(found) == 1 else "text"
