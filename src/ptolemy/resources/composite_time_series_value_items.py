"""The items of composite values as records of their own; they lie on their value's row."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from ptolemy.database.sql import Sql, numbered
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.fields import AnyValue, Computed, FieldKey, Reference
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.kernel.decimals import parse_decimal
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.resources.time_series_values import CompositeTimeSeriesValues

_AT_ONCE = 5000
_SIGNS = {"lt": "<", "lte": "<=", "gte": ">=", "gt": ">"}


class ItemId(Computed[UUID]):
    """UUIDv5 (RFC 9562) of the value's id and the field key."""

    fault = "invalid_id"
    shown = {"type": "string", "format": "uuid"}

    def sql(self, table: str, workspace_id: UUID) -> Sql:
        return Sql(f"{table}.value_id || '/' || {table}.field_key")

    def show(self, stored: Any) -> str:
        value_id, _, field_key = stored.partition("/")
        return str(uuid5(UUID(value_id), field_key))


class ItemValue(AnyValue):
    """The value of an item as text; greater and less compare numbers where a number is asked for."""

    special_operators = frozenset(_SIGNS)

    def accept_special(self, op: str, value: Any) -> Any:
        try:
            return parse_decimal(value)
        except ValueError:
            return self.accept(value)

    async def special(
        self, tx: Transaction, op: str, value: Any, *, archived_mentioned: bool
    ) -> tuple[Sql, Sequence[str]]:
        compared = "custom_number(value)" if isinstance(value, Decimal) else "value"
        return Sql.of(f"coalesce({compared} {_SIGNS[op]} ?, false)", value), ()


class CompositeTimeSeriesValueItems(Resource):
    """One item of a composite value: the close of a bar. It is written with its value, and goes where that goes."""

    singular = "composite_time_series_value_item"
    collection = "composite-time-series-value-items"
    lifecycle = Lifecycle(archive=True, hard_delete=False)
    order = ("value_id", "field_key")

    id = ItemId(required=True)
    value_id = Reference(CompositeTimeSeriesValues, when_deleted="cascade", enforced=False, required=True)
    field_key = FieldKey(required=True)
    value = ItemValue()

    @classmethod
    async def among(cls, tx: Transaction, keys: Collection[str]) -> Sql:
        found = await _places(tx, {record for key in keys if (record := as_uuid(key))})
        values, fields = [value for value, _ in found.values()], [field for _, field in found.values()]
        return Sql.of("(value_id, field_key) in (select * from unnest(?::uuid[], ?::text[]))", values, fields)


async def _places(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, tuple[UUID, str]]:
    """The value and the key behind the ids of items.

    A hash can't be turned round, and keeping one for every item would cost more than the items: this reads the keys of
    all composite values until it has found what it is asked for. Asking by `value_id` is immediate.
    """
    missing, found = set(ids), dict[UUID, tuple[UUID, str]]()
    statement = Sql.of(
        "select id, array(select jsonb_object_keys(items)) as keys from composite_time_series_values"
        " where workspace_id = ? order by id",
        tx.workspace_id,
    )
    cursor = await tx.driver.cursor(numbered(statement.text), *statement.args)
    while missing and (rows := await cursor.fetch(_AT_ONCE)):
        some = await asyncio.to_thread(_found, rows, missing)
        found |= some
        missing -= some.keys()
    return found


def _found(rows: Sequence[Row], missing: set[UUID]) -> dict[UUID, tuple[UUID, str]]:
    pairs = ((row["id"], key) for row in rows for key in row["keys"])
    return {record: (value_id, key) for value_id, key in pairs if (record := uuid5(value_id, key)) in missing}
