"""How many webhooks a workspace may have."""

from __future__ import annotations

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction


async def most_webhooks(tx: Transaction) -> int | None:
    """The plan's limit, None for no limit. Who counts them up to it holds a lock from before this is asked."""
    limit: int | None = await tx.value(
        Sql.of("select p.webhooks from workspaces w join plans p on p.name = w.plan where w.id = ?", tx.workspace_id)
    )
    return limit


async def made(tx: Transaction) -> int:
    """How many there are."""
    count: int = await tx.value(Sql.of("select count(*) from webhooks where workspace_id = ?", tx.workspace_id))
    return count
