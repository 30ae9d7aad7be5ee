"""The count of database items, kept where they are written rather than counted on demand.

A ledger: every transaction adds what it added or removed, so that no two writers wait for each other. `fold` sums it
up. Where the plan has a limit, `item_quota` keeps the exact number beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.identifiers import uuid7s
from ptolemy.plans import item_quota


async def count(tx: Transaction, changes: Mapping[str, int]) -> None:
    """Adds to the count of each kind; it is written, and held against the plan, right before the commit.

    Raises nothing here. The end of the transaction raises `ItemQuotaExceeded` where it makes more than the plan has.
    """
    if changes:
        tx.tally.update(changes)
        tx.at_end = settle


async def settle(tx: Transaction) -> None:
    """Writes what this transaction has counted on today's page (UTC)."""
    changes = {kind: number for kind, number in tx.tally.items() if number}
    tx.tally.clear()
    if not changes:
        return
    if tx.distributed:
        # Only so the coordinator knows that this transaction writes: a new quota waits for those that don't know of it.
        await tx.run(Sql("select pg_current_xact_id()"))
    statement = Sql.of(
        "insert into item_counts (workspace_id, id, kind, items, limited)"
        " select ?, new.*, exists (select from item_quotas where workspace_id = ?)"
        " from unnest(?::uuid[], ?::text[], ?::bigint[]) as new"
        # Without `returning` Citus would COPY to the shards, which row-level security refuses.
        " returning limited",
        tx.workspace_id,
        tx.workspace_id,
        uuid7s(len(changes)),
        list(changes),
        list(changes.values()),
    )
    # Told by the very statement that is made anyway: a plan without a limit costs none more.
    limited = await tx.value(statement)
    if limited and (items := sum(changes.values())):
        await item_quota.take(tx, items)


async def usage(tx: Transaction) -> dict[str, int]:
    """How many items of each kind there are, archived ones too."""
    statement = Sql.of(
        "select kind, sum(items)::bigint as items from item_counts where workspace_id = ? group by kind",
        tx.workspace_id,
    )
    return {row["kind"]: row["items"] for row in await tx.rows(statement)}


async def fold(tx: Transaction) -> None:
    """Sums up the ledger of one workspace: one row a kind and day stays."""
    statement = Sql.of("delete from item_counts where workspace_id = ? returning kind, day, items", tx.workspace_id)
    sums: Counter[tuple[str, object]] = Counter()
    for row in await tx.rows(statement):
        sums[row["kind"], row["day"]] += row["items"]
    if not sums:
        return
    add = Sql.of(
        "insert into item_counts (workspace_id, id, kind, day, items)"
        " select ?, * from unnest(?::uuid[], ?::text[], ?::date[], ?::bigint[])"
        " returning id",
        tx.workspace_id,
        uuid7s(len(sums)),
        [kind for kind, _ in sums],
        [day for _, day in sums],
        list(sums.values()),
    )
    await tx.run(add)
