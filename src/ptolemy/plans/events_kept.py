"""For how long a workspace's plan keeps its events."""

from __future__ import annotations

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction

DAYS = {"starter": 90, "growth": 365, "enterprise": None}
"""None is for ever."""


async def events_days(tx: Transaction, at_most: int | None) -> int | None:
    """How many days, or None for ever; `at_most` is the operator's limit for every plan."""
    plan = await tx.value(Sql.of("select plan from workspaces where id = ?", tx.workspace_id))
    days = DAYS.get(plan)
    return min((each for each in (days, at_most) if each is not None), default=None)
