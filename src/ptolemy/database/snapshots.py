"""Snapshots of PostgreSQL as text (`pg_snapshot`): which transactions had ended at an instant.

On Citus the coordinator numbers transactions and ends them, and what they wrote of a workspace lies on a worker. Where
a commit has two phases the worker shows it a moment later, and much later when it fails in between. Whoever concludes
from a snapshot what there is to be read asks `shown` and `settled`, where such transactions haven't ended yet.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction

NOTHING = "1:1:"
NOW = "pg_current_snapshot()::text"


@dataclass(frozen=True)
class Snapshot:
    """`xmax` is the first transaction that had not begun; `running` are those before it that had not ended."""

    xmax: int
    running: frozenset[int]

    @staticmethod
    def of(text: str) -> Snapshot:
        _, xmax, running = text.split(":")
        return Snapshot(int(xmax), frozenset(map(int, running.split(","))) if running else frozenset())

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.running)))}"

    @property
    def xmin(self) -> int:
        """All transactions before this one had ended."""
        return min(self.running, default=self.xmax)

    def sees(self, xid: int) -> bool:
        return xid < self.xmax and xid not in self.running

    def before(self, numbers: Collection[int]) -> Snapshot:
        """The same, but that those of 32-bit numbers had not ended. Such numbers come round: the latest is meant."""
        latest = {self.xmax - 1 - (self.xmax - 1 - number) % 2**32 for number in numbers}
        return Snapshot(self.xmax, self.running | {xid for xid in latest if xid > 0})


async def shown(tx: Transaction, snapshot: str) -> str:
    """A snapshot that was taken before: what it says to have ended, any later statement reads."""
    if not tx.distributed:
        return snapshot
    prepared = await _prepared(tx)
    return str(Snapshot.of(snapshot).before(prepared)) if prepared else snapshot


async def settled(tx: Transaction) -> Sql:
    """The first transaction that may not have ended, for a condition; all events before it can be read."""
    if not tx.distributed:
        return Sql("pg_snapshot_xmin(pg_current_snapshot())")
    # Within a query of a tenant table it would be the worker's, which counts its own transactions.
    now = await tx.value(Sql(f"select {NOW}"))
    return Sql.of("?::xid8", Snapshot.of(await shown(tx, now)).xmin)


async def _prepared(tx: Transaction) -> list[int]:
    """The transactions that wait on the workspace's worker for the second phase of their commit.

    Who isn't among them any more can be read: a commit in one phase ends on the worker first.
    """
    waiting = await tx.value(
        Sql.of(
            "select array(select gid from pg_prepared_xact())"
            " from (select count(*) from item_quotas where workspace_id = ?) one",
            tx.workspace_id,
        )
    )
    if not waiting:
        return []
    # Citus leaves a note of each commit in two phases in that very transaction.
    notes = await tx.rows(
        Sql.of("select distinct xmin::text::bigint as number from pg_dist_transaction where gid = any(?)", waiting)
    )
    return [row["number"] for row in notes]
