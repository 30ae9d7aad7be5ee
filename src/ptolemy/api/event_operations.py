"""The feed of events over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from starlette.responses import Response

from ptolemy.accounts.access import Access
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import Handlers, read_operations
from ptolemy.api.services import Call
from ptolemy.database.snapshots import settled
from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.cursors import Cursors
from ptolemy.engine.lookup import unknown
from ptolemy.engine.read import Query
from ptolemy.event_types import may_read, readable
from ptolemy.events.retention import forgotten_up_to
from ptolemy.kernel.problems import Gone
from ptolemy.resources.events import Events, Place, is_position, place_of, position_is, position_of

_PATIENCE = 20
_PAUSE_SECONDS = 0.01


def event_operations() -> list[Operation]:
    operations = read_operations(Events(), EventHandlers)
    return [replace(each, problems=(*each.problems, 410)) if _has_pages(each) else each for each in operations]


def _has_pages(operation: Operation) -> bool:
    return operation.path.endswith(("/events", "/events/filter"))


class EventHandlers(Handlers):
    async def _page(self, tx: Transaction, call: Call, query: Query, paths: Sequence[str]) -> Response:
        answer = await super()._page(tx, call, query, paths)
        if query.after is not None and not query.sort:
            # After the page was read: what was forgotten before that is missing from it.
            await _refuse_behind(tx, _place(query.after, call.services.cursors))
        return answer

    def shown_to(self, reader: Access) -> Sql | None:
        return readable(reader.role)

    async def one(self, tx: Transaction, call: Call) -> Row:
        event = await super().one(tx, call)
        if not may_read(call.signed_in.role, event["event_type"]):
            raise unknown(Events, call.path["id"])
        return event

    async def narrowed(self, tx: Transaction, query: Query) -> Query:
        """In the order of the feed: only what nothing can come before any more, behind a cursor or a position."""
        if query.sort:
            return query
        border = await _settled(tx)
        conditions = [*([query.where] if query.where else []), Sql(f"xid < {border.text}", border.args)]
        if query.after is not None and is_position(query.after):
            return replace(query, after=None, where=every([*conditions, position_is(">", query.after)]))
        return replace(query, where=every(conditions))


def _place(after: str, cursors: Cursors) -> Place:
    if is_position(after):
        return place_of(after)
    epoch, xid, event_id = cursors.position(after)
    return int(epoch), int(xid), UUID(event_id)


async def _refuse_behind(tx: Transaction, place: Place) -> None:
    """Who goes on from before the last event that was forgotten would miss some, and never know."""
    forgotten = await forgotten_up_to(tx)
    if forgotten is None:
        return
    last = forgotten["epoch"], forgotten["xid"], forgotten["event_id"]
    if place < last:
        detail = (
            "events after this position are no longer kept: read again what you follow, and go on from forgotten_up_to"
        )
        raise Gone("events_forgotten", detail, more={"forgotten_up_to": position_of(last)})


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
