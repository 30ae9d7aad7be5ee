"""The feed of events over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import Handlers, read_operations
from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Transaction
from ptolemy.engine.read import Query
from ptolemy.resources.events import Events, is_position, position_is

_SETTLED = Sql("xid < pg_snapshot_xmin(pg_current_snapshot())")
_PATIENCE = 20
_PAUSE_SECONDS = 0.01


def event_operations() -> list[Operation]:
    return read_operations(Events(), EventHandlers)


class EventHandlers(Handlers):
    async def narrowed(self, tx: Transaction, query: Query) -> Query:
        """In the order of the feed: only what nothing can come before any more, behind a cursor or a position."""
        if query.sort:
            return query
        await _settle(tx)
        if query.after is not None and is_position(query.after):
            return replace(query, after=None, where=every([_SETTLED, position_is(">", query.after)]))
        return replace(query, where=_SETTLED)


async def _settle(tx: Transaction) -> None:
    """Waits a little for writers that are about to commit, so that who has just written finds their event."""
    unsettled = Sql.of(
        "select exists (select from events where workspace_id = ? and epoch = ?"
        " and xid >= pg_snapshot_xmin(pg_current_snapshot()))",
        tx.workspace_id,
        tx.epoch,
    )
    for _ in range(_PATIENCE):
        if not await tx.value(unsettled):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
