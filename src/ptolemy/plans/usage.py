"""What a workspace has used, by kind and day."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.plans import call_counts, items, overage, seats, webhooks
from ptolemy.plans.limits import plan_of
from ptolemy.plans.plan import Plan


@dataclass(frozen=True)
class Usage:
    """A plan and what is used of it; calls and overage are those of the month (UTC) that began on `month`."""

    name: str
    plan: Plan
    month: date
    by_kind: dict[str, int]
    seats: int
    webhooks: int
    calls: int
    overage: dict[str, int]

    @property
    def items(self) -> int:
        return sum(self.by_kind.values())


@dataclass(frozen=True)
class DayOfKind:
    """`change` is what came, less what went, or how many calls were made; `total` is what there was at its end.

    The total of calls is that of the month so far.
    """

    day: date
    kind: str
    change: int
    total: int


async def usage(tx: Transaction) -> Usage:
    month = datetime.now(UTC).date().replace(day=1)
    name, plan = await plan_of(tx)
    by_kind = {kind: number for kind, number in sorted((await items.usage(tx)).items()) if number}
    over = {"items": 0, "calls": 0} | {row["kind"]: row["amount"] for row in await overage.of(tx, month, month)}
    calls = await call_counts.in_month(tx, month)
    return Usage(name, plan, month, by_kind, await seats.taken(tx), await webhooks.made(tx), calls, over)


async def by_day(tx: Transaction, first: date, last: date) -> list[DayOfKind]:
    """Every day and kind on which something changed, in that order."""
    days = [*await _items_by_day(tx, first, last), *await _calls_by_day(tx, first, last)]
    return sorted(days, key=lambda each: (each.day, each.kind))


async def _items_by_day(tx: Transaction, first: date, last: date) -> list[DayOfKind]:
    statement = Sql.of(
        "select kind, day, sum(items)::bigint as items from item_counts"
        " where workspace_id = ? and day <= ? group by kind, day order by kind, day",
        tx.workspace_id,
        last,
    )
    totals: Counter[str] = Counter()
    found = []
    for row in await tx.rows(statement):
        totals[row["kind"]] += row["items"]
        if row["day"] >= first and row["items"]:
            found.append(DayOfKind(row["day"], row["kind"], row["items"], totals[row["kind"]]))
    return found


async def _calls_by_day(tx: Transaction, first: date, last: date) -> list[DayOfKind]:
    totals: Counter[tuple[date, str]] = Counter()
    found = []
    for row in await call_counts.by_day(tx, first.replace(day=1), last):
        of_month = (row["day"].replace(day=1), row["kind"])
        totals[of_month] += row["calls"]
        if row["day"] >= first:
            found.append(DayOfKind(row["day"], row["kind"], row["calls"], totals[of_month]))
    return found
