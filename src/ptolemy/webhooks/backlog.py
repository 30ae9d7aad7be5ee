"""How far behind the deliveries are, over all workspaces: for the operator's metrics."""

from __future__ import annotations

from dataclasses import dataclass

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.webhooks.resource import PENDING

COUNTED = 10_000
"""No endpoint's queue is counted further: that it is long is what matters then."""


@dataclass
class Backlog:
    """Deliveries to active endpoints: `due` by now, or `waiting` for their next attempt.

    `oldest_due_seconds` is how long the oldest has been due, or for how long a workspace has waited for a worker.
    """

    due: int = 0
    waiting: int = 0
    oldest_due_seconds: float = 0.0


async def backlog_everywhere(database: Database) -> Backlog:
    """Costs a transaction for each workspace with an active endpoint, and in it a walk in the index of the queue."""
    async with database.session() as session:
        feeds = await session.rows(
            Sql(
                "select workspace_id,"
                " case when lease_until is null or lease_until < now()"
                " then extract(epoch from now() - due_at)::float8 end as late"
                " from webhook_feeds where wanted"
            )
        )
    found = Backlog(oldest_due_seconds=max([0.0, *(feed["late"] or 0.0 for feed in feeds)]))
    for feed in feeds:
        async with database.transaction(Caller(feed["workspace_id"], SYSTEM)) as tx:
            await _add(tx, found)
    return found


async def _add(tx: Transaction, found: Backlog) -> None:
    queued = (
        "select d.next_attempt_at <= now() as is_due, d.next_attempt_at from webhook_deliveries d"
        f" where d.workspace_id = ? and d.webhook_id = w.id and d.status = '{PENDING}'"
        f" order by d.next_attempt_at, d.id limit {COUNTED}"
    )
    rows = await tx.rows(
        Sql.of(
            "select count(*) filter (where q.is_due) as due, count(*) filter (where not q.is_due) as waiting,"
            " extract(epoch from now() - min(q.next_attempt_at))::float8 as late"
            f" from webhooks w cross join lateral ({queued}) q"
            " where w.workspace_id = ? and w.active",
            tx.workspace_id,
            tx.workspace_id,
        )
    )
    for row in rows:
        found.due += row["due"]
        found.waiting += row["waiting"]
        found.oldest_due_seconds = max(found.oldest_due_seconds, row["late"] or 0)
