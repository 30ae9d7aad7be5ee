"""The items of composite values over HTTP: read, never written by themselves."""

from __future__ import annotations

from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import Handlers, read_operations
from ptolemy.api.services import Call
from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.lookup import unknown
from ptolemy.resources.composite_time_series_value_items import CompositeTimeSeriesValueItems


def item_operations() -> list[Operation]:
    return read_operations(CompositeTimeSeriesValueItems(), ItemHandlers)


class ItemHandlers(Handlers):
    async def one(self, tx: Transaction, call: Call) -> Row:
        key, items = call.path["id"], CompositeTimeSeriesValueItems
        wanted = every([Sql.of("workspace_id = ?", tx.workspace_id), await items.among(tx, [key])])
        shown = items.selected(items.table, tx.workspace_id)
        text = f"select {shown.text} from {items.table} where {wanted.text}"
        row = await tx.row(Sql(text, (*shown.args, *wanted.args)))
        if row is None:
            raise unknown(items, key)
        return row
