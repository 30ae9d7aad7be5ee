"""What is kept for a time, and removed a little at a time when that is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from ptolemy.database.pool import Database
from ptolemy.database.transaction import Transaction
from ptolemy.kernel import metrics
from ptolemy.kernel.actors import Caller

AT_ONCE = 1000
"""Rows that a room removes in one transaction: so few that nobody's request waits for long."""


@dataclass(frozen=True)
class Kept:
    """Something that a room keeps for a time in every workspace.

    `forget` removes up to `AT_ONCE` of what was over before the instant, and answers how many. Events and what else
    the application's role mustn't remove are forgotten by the owner's: mind `workspace_id` there.
    """

    what: str
    forget: Callable[[Transaction, datetime], Awaitable[int]]
    by_owner: bool = False


async def forget(database: Database, caller: Caller, kept: Kept, before: datetime, check_in: Callable[[], None]) -> int:
    """Removes all of it in one workspace that was over before the instant; `check_in` is asked between the steps."""
    removed, last = 0, AT_ONCE
    while last >= AT_ONCE:
        check_in()
        async with database.bulk(caller) if kept.by_owner else database.transaction(caller) as tx:
            last = await kept.forget(tx, before)
        removed += last
        metrics.rows_forgotten(kept.what, last)
    return removed
