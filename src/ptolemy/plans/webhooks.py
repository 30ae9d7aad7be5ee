"""How many webhooks a workspace may have."""

from __future__ import annotations

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.problems import Forbidden
from ptolemy.plans.limits import plan_of


async def refuse_beyond_plan(tx: Transaction) -> None:
    """A 403 where the plan has no room for one more. The caller holds a lock from before this until it is made."""
    _, plan = await plan_of(tx)
    if plan.webhooks is not None and await made(tx) >= plan.webhooks:
        raise Forbidden("webhook_limit_reached", f"the plan has {plan.webhooks} webhooks, and all are in use")


async def made(tx: Transaction) -> int:
    """How many there are."""
    count: int = await tx.value(Sql.of("select count(*) from webhooks where workspace_id = ?", tx.workspace_id))
    return count
