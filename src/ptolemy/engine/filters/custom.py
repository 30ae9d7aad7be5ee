"""Custom fields as filters and sorts compare them: by the data type that the types of the workspace give them.

A key that means different data types in different types is compared as text. The expressions give null for what isn't
of the type, so that no value makes a statement fail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.fields import AnyValue, Field, FieldKey, Items, TypeValues
from ptolemy.engine.fields.type_values import KINDS
from ptolemy.engine.resource import Resource

PREFIX = "field."


@dataclass(frozen=True)
class Index:
    """An index of a custom field for the records of one type, there or asked for."""

    id: UUID
    is_ready: bool
    is_stale: bool
    """Its use was noted long ago."""


@dataclass(frozen=True)
class CustomField:
    """What a key means in the workspace."""

    column: str
    """Where the values of all custom fields of the resource lie."""
    key: str
    data_type: str
    types: frozenset[UUID]
    """The types that define it: no other type's record has a value of it."""
    is_mixed: bool
    indexes: Mapping[UUID, Index]
    """By type; those over the expression that `data_type` means."""

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.key}"

    @property
    def kind(self) -> Field[Any]:
        return _ANY_VALUE if self.is_mixed else KINDS[self.data_type]

    def is_indexed(self, type_id: UUID | None) -> bool:
        return type_id is not None and type_id in self.indexes and self.indexes[type_id].is_ready


def custom_values(resource: type[Resource]) -> TypeValues | None:
    """The custom fields that a resource can be filtered by, if it has any: values by the million have none."""
    if resource.by_the_million:
        return None
    found = (of for of in resource.fields.values() if isinstance(of, TypeValues) and not isinstance(of, Items))
    return next(found, None)


def expression(column: str, key: str, data_type: str) -> str:
    """The value of a custom field as its data type; statements and indexes must write it alike."""
    text = f"{column} ->> '{_KEY.accept(key)}'"
    return f"(({text}) collate pg_c_utf8)" if data_type == "text" else f"custom_{data_type}({text})"


async def custom_fields(
    tx: Transaction, resource: type[Resource], values: TypeValues, names: Collection[str]
) -> dict[str, CustomField]:
    """Those of the names that some type defines; archived definitions count where there is no active one."""
    keys = [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]
    # PostgreSQL takes no NUL in text, and no field has such a key.
    keys = [key for key in keys if "\0" not in key]
    if not keys:
        return {}
    statement = Sql.of(
        "select f.field_key, f.type_id, f.data_type, f.archived_at is null as is_active, i.id as index_id,"
        " i.data_type as index_data_type, i.state = 'ready' as is_ready,"
        " i.last_used_at < now() - interval '1 day' as is_stale"
        f" from {values.defined_by.table} f"
        " left join custom_field_indexes i on i.workspace_id = f.workspace_id and i.table_name = ?"
        " and i.type_id = f.type_id and i.field_key = f.field_key"
        " where f.workspace_id = ? and f.field_key = any(?)",
        resource.table,
        tx.workspace_id,
        keys,
    )
    rows: dict[str, list[Row]] = {}
    for row in await tx.rows(statement):
        rows.setdefault(row["field_key"], []).append(row)
    return {f"{PREFIX}{key}": _meaning(values.name, key, defined) for key, defined in rows.items()}


_KEY = FieldKey()
_ANY_VALUE = AnyValue()


def _meaning(column: str, key: str, defined: list[Row]) -> CustomField:
    deciding = [row for row in defined if row["is_active"]] or defined
    data_types = {row["data_type"] for row in deciding}
    data_type = data_types.pop() if len(data_types) == 1 else "text"
    indexes = {
        row["type_id"]: Index(row["index_id"], row["is_ready"], row["is_stale"])
        for row in defined
        if row["index_data_type"] == data_type
    }
    return CustomField(column, key, data_type, frozenset(row["type_id"] for row in defined), bool(data_types), indexes)
