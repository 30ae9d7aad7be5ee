"""The plan of a workspace, as the database has it."""

from __future__ import annotations

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.problems import NotFound
from ptolemy.plans.plan import Plan


async def plan_of(tx: Transaction) -> tuple[str, Plan]:
    """Its name, and what it allows."""
    row = await tx.row(
        Sql.of("select p.* from workspaces w join plans p on p.name = w.plan where w.id = ?", tx.workspace_id)
    )
    if row is None:
        raise NotFound("workspace_not_found", "the workspace was removed")
    return row["name"], Plan.of(row)
