"""Events are kept for as long as the plan says. The oldest of the feed go first, and the feed remembers how far."""

from __future__ import annotations

from datetime import datetime

from ptolemy.database.retention import AT_ONCE, Kept
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction


async def forgotten_up_to(tx: Transaction) -> Row | None:
    """The place of the last event that was forgotten: `epoch`, `xid` and `event_id`; None where none ever was."""
    return await tx.row(
        Sql.of(
            "select epoch, xid::text::bigint as xid, event_id from forgotten_events where workspace_id = ?"
            " order by epoch desc limit 1",
            tx.workspace_id,
        )
    )


async def _forget(tx: Transaction, before: datetime) -> int:
    """A beginning of the feed, never something from its middle: so one place says all that is missing."""
    oldest = await tx.rows(
        Sql.of(
            "select epoch, xid, id, created_at from events where workspace_id = ?"
            f" order by epoch, xid, id limit {AT_ONCE}",
            tx.workspace_id,
        )
    )
    over = 0
    while over < len(oldest) and oldest[over]["created_at"] < before:
        over += 1
    if not over:
        return 0
    last = oldest[over - 1]
    place = (last["epoch"], last["xid"], last["id"])
    await tx.run(
        Sql.of(
            "insert into forgotten_events as old (workspace_id, epoch, xid, event_id) values (?, ?, ?, ?)"
            " on conflict (workspace_id, epoch) do update set xid = excluded.xid,"
            " event_id = excluded.event_id, forgotten_at = excluded.forgotten_at, recorded_at = excluded.recorded_at",
            tx.workspace_id,
            *place,
        )
    )
    return await tx.run(
        Sql.of("delete from events where workspace_id = ? and (epoch, xid, id) <= (?, ?, ?)", tx.workspace_id, *place)
    )


KEPT = Kept("events", _forget, by_owner=True)
