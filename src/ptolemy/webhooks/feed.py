"""How far the events of a workspace were read for its webhooks; one row a workspace that has any.

The row is what keeps writers apart, too: who changes webhooks or subscriptions locks it first, and who reads on for the
deliveries holds its lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from ptolemy.database.snapshots import NOTHING, NOW, Snapshot, shown
from ptolemy.database.sql import Sql, every, joined
from ptolemy.database.transaction import Row, Session, Transaction
from ptolemy.jobs.job import LeaseLost

CHANNEL = "ptolemy_events"
EVENTS_AT_ONCE = 1000


@dataclass(frozen=True)
class Locked:
    """`now` is the snapshot that what is changed from here on counts from."""

    now: str
    wanted: bool


async def lock(tx: Transaction) -> Locked:
    """One change of a workspace's webhooks at a time; before anything is read."""
    statement = Sql.of(
        "insert into webhook_feeds (workspace_id, epoch, seen)"
        " values (?, ?, pg_current_snapshot()::text)"
        " on conflict (workspace_id) do update set workspace_id = excluded.workspace_id"
        " returning wanted",
        tx.workspace_id,
        tx.epoch,
    )
    wanted = await tx.value(statement)
    return Locked(await tx.value(Sql(f"select {NOW}")), wanted)


async def settle(tx: Transaction, locked: Locked) -> None:
    """Says whether anybody wants the events; who begins to want them begins now."""
    active = await tx.value(
        Sql.of("select exists (select from webhooks where workspace_id = ? and active)", tx.workspace_id)
    )
    if active and not locked.wanted:
        await tx.run(
            Sql.of(
                "update webhook_feeds"
                " set wanted = true, epoch = ?, seen = ?, reading = null, due_at = now()"
                " where workspace_id = ?",
                tx.epoch,
                locked.now,
                tx.workspace_id,
            )
        )
    elif locked.wanted and not active:
        await tx.run(Sql.of("update webhook_feeds set wanted = false where workspace_id = ?", tx.workspace_id))


async def claim(session: Session, heard: Sequence[UUID], count: int, lease_seconds: float, token: UUID) -> list[UUID]:
    """Workspaces that are due or were heard of, for this worker alone until the lease ends."""
    rows = await session.rows(
        Sql.of(
            "with due as materialized ("
            "  select workspace_id"
            "  from webhook_feeds"
            "  where wanted and (due_at <= now() or workspace_id = any(?::uuid[]))"
            "   and (lease_until is null or lease_until < now())"
            "  order by due_at"
            "  limit ?"
            "  for update skip locked"
            ")"
            " update webhook_feeds"
            " set lease_token = ?, lease_until = now() + ?"
            " from due"
            " where webhook_feeds.workspace_id = due.workspace_id"
            " returning webhook_feeds.workspace_id",
            list(heard),
            count,
            token,
            timedelta(seconds=lease_seconds),
        )
    )
    return [row["workspace_id"] for row in rows]


async def release(session: Session, workspace_id: UUID, token: UUID, due_in_seconds: float) -> None:
    await session.run(
        Sql.of(
            "update webhook_feeds"
            " set lease_token = null, lease_until = null, due_at = clock_timestamp() + ?"
            " where workspace_id = ? and lease_token = ?",
            timedelta(seconds=due_in_seconds),
            workspace_id,
            token,
        )
    )


@dataclass(frozen=True)
class News:
    """Events that were committed since the last look, in order; `more` says that there are others behind them."""

    events: Sequence[Row]
    more: bool


async def hold(tx: Transaction, token: UUID, lease_seconds: float) -> Row:
    """How far was read, locked until the commit: nobody reads the same twice. Keeps the lease or raises `LeaseLost`.

    Read the subscriptions behind this: who subscribes waits for the same lock.
    """
    held = await tx.row(
        Sql.of(
            "update webhook_feeds"
            " set lease_until = clock_timestamp() + ?"
            " where workspace_id = ? and lease_token = ?"
            f" returning epoch, seen, reading, after_xid, after_id, {NOW} as now",
            timedelta(seconds=lease_seconds),
            tx.workspace_id,
            token,
        )
    )
    if held is None:
        raise LeaseLost
    return {**held, "now": await shown(tx, held["now"])}


async def read_on(tx: Transaction, held: Row, wanted: Sql) -> News:
    """The next events that meet `wanted`; the commit makes them read."""
    if held["reading"] is None and held["seen"] == held["now"] and held["epoch"] == tx.epoch:
        return News((), more=False)
    # Those of an epoch that is over are all there: the database was loaded from a dump since.
    until = None if held["epoch"] < tx.epoch else held["reading"] or held["now"]
    events = await tx.rows(_unread(tx, held, until, wanted))
    full = len(events) == EVENTS_AT_ONCE
    if full:
        last = events[-1]
        await _remember(tx, held["epoch"], held["seen"], until or held["now"], last["xid"], last["id"])
    elif until is None:
        await _remember(tx, tx.epoch, NOTHING)
    else:
        await _remember(tx, tx.epoch, until)
    return News(events, more=full or until is None or held["reading"] is not None)


async def _remember(tx: Transaction, epoch: int, seen: str, reading: str | None = None, *after: Any) -> None:
    xid, event_id = after or (None, None)
    await tx.run(
        Sql.of(
            "update webhook_feeds"
            " set epoch = ?, seen = ?, reading = ?, after_xid = ?, after_id = ?"
            " where workspace_id = ?",
            epoch,
            seen,
            reading,
            xid,
            event_id,
            tx.workspace_id,
        )
    )


def _unread(tx: Transaction, held: Row, until: str | None, wanted: Sql) -> Sql:
    """Two walks of the feed's index: behind all that was seen, and the few that were running then."""
    seen = Snapshot.of(held["seen"])
    conditions = [Sql.of("workspace_id = ? and epoch = ?", tx.workspace_id, held["epoch"]), wanted]
    if until is not None:
        conditions.append(Sql.of("pg_visible_in_snapshot(xid, ?::text::pg_snapshot)", until))
    if held["after_xid"] is not None:
        conditions.append(Sql.of("(xid, id) > (?, ?)", held["after_xid"], held["after_id"]))
    walks = [Sql.of("xid >= ?", seen.xmax), *(Sql.of("xid = ?", xid) for xid in sorted(seen.running))]
    union = joined(" union all ", [_walked(every([walk, *conditions])) for walk in walks])
    return Sql(f"select * from ({union.text}) found order by xid, id limit {EVENTS_AT_ONCE}", union.args)


def _walked(where: Sql) -> Sql:
    picked = "select xid, id, event_type, resource_id from events"
    return Sql(f"({picked} where {where.text} order by xid, id limit {EVENTS_AT_ONCE})", where.args)
