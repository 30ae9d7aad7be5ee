"""Calls as they are stored: by day and kind for everybody, and what is taken of a month where the plan limits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction

Kind = Literal["requests", "deliveries"]

MOST_LEASED = 100
_SHARE_LEASED = 20
"""A lease is at most one of so many parts of what is left: near the limit it is one call."""


@dataclass(frozen=True)
class Lease:
    """Calls that a process may let through, and how many are left for others."""

    granted: int
    left: int


async def add(tx: Transaction, kind: Kind, calls: Mapping[date, int], *, leased: bool) -> None:
    """Adds what was used; what wasn't `leased` before counts toward the month too."""
    if not calls:
        return
    if not leased:
        # The first lease of a month sums up what there is: one of the two comes first.
        await tx.lock("calls")
    await tx.run(
        Sql.of(
            "insert into call_counts as c (workspace_id, day, kind, calls)"
            " select ?, new.day, ?, new.calls from unnest(?::date[], ?::bigint[]) as new (day, calls)"
            " on conflict (workspace_id, day, kind) do update"
            " set calls = c.calls + excluded.calls, recorded_at = excluded.recorded_at",
            tx.workspace_id,
            kind,
            list(calls),
            list(calls.values()),
        )
    )
    if not leased:
        for month in {day.replace(day=1) for day in calls}:
            await _take(tx, month, sum(number for day, number in calls.items() if day.replace(day=1) == month))


async def give_back(tx: Transaction, month: date, calls: int) -> None:
    """The rest of a lease, which others may have."""
    await _take(tx, month, -calls)


async def _take(tx: Transaction, month: date, calls: int) -> None:
    await tx.run(
        Sql.of(
            "update call_quotas set taken = taken + ?, recorded_at = now() where workspace_id = ? and month = ?",
            calls,
            tx.workspace_id,
            month,
        )
    )


async def lease(tx: Transaction, month: date, limit: int) -> Lease | None:
    """Some calls of the month, or None where all are taken. Whatever a crash takes along stays taken."""
    found = await _lease(tx, month, limit)
    if found is None:
        if not await _has_begun(tx, month):
            await _begin(tx, month)
        # Another process may have begun it since we looked, so this is asked again in any case.
        found = await _lease(tx, month, limit)
    return found


async def _lease(tx: Transaction, month: date, limit: int) -> Lease | None:
    granted = f"least({MOST_LEASED}, greatest(1, (?::bigint - taken) / {_SHARE_LEASED}))"
    row = await tx.row(
        Sql.of(
            f"update call_quotas set granted = {granted}, taken = taken + {granted}, recorded_at = now()"
            " where workspace_id = ? and month = ? and taken < ?"
            " returning granted, taken",
            limit,
            limit,
            tx.workspace_id,
            month,
            limit,
        )
    )
    return Lease(row["granted"], limit - row["taken"]) if row else None


async def _has_begun(tx: Transaction, month: date) -> bool:
    statement = Sql.of(
        "select exists (select from call_quotas where workspace_id = ? and month = ?)", tx.workspace_id, month
    )
    return bool(await tx.value(statement))


async def _begin(tx: Transaction, month: date) -> None:
    """The month's row, which begins with what was used under plans without a limit."""
    await tx.lock("calls")
    used = await in_month(tx, month)
    await tx.run(
        Sql.of(
            "insert into call_quotas (workspace_id, month, taken) values (?, ?, ?)"
            " on conflict (workspace_id, month) do nothing",
            tx.workspace_id,
            month,
            used,
        )
    )


async def in_month(tx: Transaction, month: date) -> int:
    """Calls of all kinds since the first of the month."""
    number: int = await tx.value(
        Sql.of(
            "select coalesce(sum(calls), 0)::bigint from call_counts where workspace_id = ? and day between ? and ?",
            tx.workspace_id,
            month,
            _last(month),
        )
    )
    return number


def following(month: date) -> date:
    """The first of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _last(month: date) -> date:
    return date.fromordinal(following(month).toordinal() - 1)


async def by_day(tx: Transaction, first: date, last: date) -> Sequence[Row]:
    """`day`, `kind` and `calls` of each day, oldest first."""
    statement = Sql.of(
        "select day, kind, calls from call_counts where workspace_id = ? and day between ? and ? order by day, kind",
        tx.workspace_id,
        first,
        last,
    )
    return await tx.rows(statement)


async def count_deliveries(tx: Transaction, number: int, at: datetime | None = None) -> None:
    """Counts events that were delivered, each to a webhook for the first time, in the transaction that notes it.

    A delivery is never refused: it goes out however many calls are left, and leaves fewer of them.
    """
    if number:
        await add(tx, "deliveries", {(at or datetime.now(UTC)).date(): number}, leased=False)
