"""The feed of events over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import Handlers, read_operations
from ptolemy.database.snapshots import settled
from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Transaction
from ptolemy.engine.read import Query
from ptolemy.resources.events import Events, is_position, position_is

_PATIENCE = 20
_PAUSE_SECONDS = 0.01


def event_operations() -> list[Operation]:
    return read_operations(Events(), EventHandlers)


class EventHandlers(Handlers):
    async def narrowed(self, tx: Transaction, query: Query) -> Query:
        """In the order of the feed: only what nothing can come before any more, behind a cursor or a position."""
        if query.sort:
            return query
        border = await _settled(tx)
        told = Sql(f"xid < {border.text}", border.args)
        if query.after is not None and is_position(query.after):
            return replace(query, after=None, where=every([told, position_is(">", query.after)]))
        return replace(query, where=told)


async def _settled(tx: Transaction) -> Sql:
    """Up to where events are told; waits a little for writers that are about to commit.

    So who has just written finds their event.
    """
    for _ in range(_PATIENCE):
        border = await settled(tx)
        unsettled = Sql.of(
            f"select exists (select from events where workspace_id = ? and epoch = ? and xid >= {border.text})",
            tx.workspace_id,
            tx.epoch,
            *border.args,
        )
        if not await tx.value(unsettled):
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    return border
