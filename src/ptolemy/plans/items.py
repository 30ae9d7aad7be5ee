"""The count of database items, kept where they are written rather than counted on demand.

A ledger: every transaction adds what it added or removed, so that no two writers wait for each other. `fold` sums it
up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.identifiers import uuid7s


async def count(tx: Transaction, changes: Mapping[str, int]) -> None:
    """Adds to the count of each kind, on today's page (UTC)."""
    if not changes:
        return
    statement = Sql.of(
        "insert into item_counts (workspace_id, id, kind, items)"
        " select ?, * from unnest(?::uuid[], ?::text[], ?::bigint[])"
        # Without `returning` Citus would COPY to the shards, which row-level security refuses.
        " returning id",
        tx.workspace_id,
        uuid7s(len(changes)),
        list(changes),
        list(changes.values()),
    )
    await tx.run(statement)


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
