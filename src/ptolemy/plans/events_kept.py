"""For how long a workspace keeps its events."""

from __future__ import annotations

from ptolemy.database.transaction import Transaction
from ptolemy.plans.limits import plan_of


async def events_days(tx: Transaction, at_most: int | None) -> int | None:
    """How many days by the plan, or None for ever; `at_most` is the operator's limit for every plan."""
    _, plan = await plan_of(tx)
    return min((each for each in (plan.events_days, at_most) if each is not None), default=None)
