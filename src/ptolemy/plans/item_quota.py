"""The exact count of a workspace's items, where its plan limits them.

A workspace without a limit has no row here, and nobody pays for one. With a limit the row is the last thing that a
transaction locks, right before its commit: writers wait for each other's commits alone, and never in a circle.
"""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.snapshots import NOW, Snapshot, shown
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.problems import Forbidden
from ptolemy.plans import overage

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.5


class ItemQuotaExceeded(Forbidden):
    """More items than the plan has."""

    def __init__(self, limit: int) -> None:
        detail = f"the plan has {limit} items: delete some for ever, or ask the operator for a larger plan"
        super().__init__("item_quota_exceeded", detail)


async def take(tx: Transaction, items: int) -> None:
    """Adds so many items, or gives back as many as it is below 0; raises `ItemQuotaExceeded` where it can't be."""
    row = await tx.row(
        Sql.of(
            "update item_quotas set items = items + ?, recorded_at = now()"
            " where workspace_id = ? and (?::bigint <= 0 or overage or items is null or items + ? <= item_limit)"
            " returning items, item_limit",
            items,
            tx.workspace_id,
            items,
            items,
        )
    )
    if row is None:
        quota = await tx.row(
            Sql.of(
                "select item_limit, ?::bigint > 0 and not overage and items + ? > item_limit as is_over"
                " from item_quotas where workspace_id = ?",
                items,
                items,
                tx.workspace_id,
            )
        )
        if quota is None:
            return  # the plan has just become one without a limit
        if quota["is_over"]:
            raise ItemQuotaExceeded(quota["item_limit"])
        await take(tx, items)  # the limit, or the room, has come since
    elif items > 0 and row["items"] is not None and row["items"] > row["item_limit"]:
        await overage.note(tx, "items", row["items"] - row["item_limit"])


async def exceeded(tx: Transaction) -> ItemQuotaExceeded:
    """What is said of each item that has no room."""
    limit = await tx.value(Sql.of("select item_limit from item_quotas where workspace_id = ?", tx.workspace_id))
    return ItemQuotaExceeded(limit or 0)


async def room(tx: Transaction) -> int | None:
    """How many items fit in still, as far as is known without a lock; None where there is no end to it."""
    left = await tx.value(
        Sql.of("select item_limit - items from item_quotas where workspace_id = ? and not overage", tx.workspace_id)
    )
    return None if left is None else max(0, left - sum(tx.tally.values()))


async def assign(tx: Transaction, *, empty: bool = False) -> None:
    """Gives the workspace the item limit of its plan; unless it is new and `empty`, `count_up` comes after the commit.

    Transactions that are under way as a limit comes don't know of it.
    """
    plan = await tx.row(
        Sql.of(
            "select p.items, p.item_overage from plans p join workspaces w on w.plan = p.name where w.id = ?"
            # A change of the plan's numbers waits, and finds this workspace then.
            " for share of p",
            tx.workspace_id,
        )
    )
    if plan is None or plan["items"] is None:
        if not empty:
            await tx.run(Sql.of("delete from item_quotas where workspace_id = ?", tx.workspace_id))
        return
    await tx.run(
        Sql.of(
            "insert into item_quotas as q (workspace_id, items, item_limit, overage) values (?, ?, ?, ?)"
            " on conflict (workspace_id) do update"
            " set item_limit = excluded.item_limit, overage = excluded.overage",
            tx.workspace_id,
            0 if empty else None,
            plan["items"],
            plan["item_overage"],
        )
    )


async def count_up(database: Database, workspace_id: UUID, *, patience_seconds: float) -> bool:
    """Counts what is there, so that a new limit holds from here on; False if others were under way for too long.

    Those that began before the limit was committed count nothing here: the count waits for their end. Until then
    nothing is refused. What is left undone the hourly upkeep does.
    """
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        if not await _is_uncounted(tx):
            return True
        border = Snapshot.of(await tx.value(Sql(f"select {NOW}"))).xmax
    deadline, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE_SECONDS
    while True:
        async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
            now = await tx.value(Sql(f"select {NOW}"))
            oldest = Snapshot.of(await shown(tx, now)).xmin
        if oldest >= border:
            break
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        await recount(tx)
    return True


async def recount(tx: Transaction) -> None:
    """Sets the count anew from the ledger: exact, as long as every writer that is under way knows of the quota."""
    held = await tx.row(Sql.of("select items from item_quotas where workspace_id = ? for update", tx.workspace_id))
    if held is None:
        return
    # Another statement: only so it sees what those have committed whom the lock has waited for.
    items = await tx.value(
        Sql.of("select coalesce(sum(items), 0)::bigint from item_counts where workspace_id = ?", tx.workspace_id)
    )
    if items != held["items"]:
        await tx.run(Sql.of("update item_quotas set items = ? where workspace_id = ?", items, tx.workspace_id))


async def _is_uncounted(tx: Transaction) -> bool:
    return bool(
        await tx.value(
            Sql.of("select exists (select from item_quotas where workspace_id = ? and items is null)", tx.workspace_id)
        )
    )
