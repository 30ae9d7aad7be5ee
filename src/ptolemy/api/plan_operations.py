"""The plan of a workspace and what is used of it, over HTTP."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.engine.fields import Date
from ptolemy.engine.schemas import Body
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.plans import overage, usage

_DAYS_SHOWN, _MOST_DAYS = 31, 366


class Limits(BaseModel):
    """Null is no limit. `calls` are of a month (UTC)."""

    items: int | None
    calls: int | None
    seats: int | None
    webhooks: int | None


class MayExceed(BaseModel):
    """Whether more than the limit passes, and is recorded."""

    items: bool
    calls: bool


class Overage(BaseModel):
    """The most that was used beyond the plan in the month."""

    items: int
    calls: int


class Used(BaseModel):
    """`calls` are of the month that began on `month` (UTC); `by_kind` counts archived records too."""

    items: int
    by_kind: dict[str, int]
    calls: int
    seats: int
    webhooks: int
    month: dt.date
    overage: Overage


class Plan(BaseModel):
    """What the workspace may use, and what it uses; null for `events_kept_days` is for ever."""

    plan: str
    limits: Limits
    overage_allowed: MayExceed
    events_kept_days: int | None
    usage: Used


_DAY = Date().optional_annotation
UsageQuery = create_model(
    "UsageQuery",
    __base__=Body,
    from_=(_DAY, Field(None, description="The first date; 31 days in all when left out", alias="from")),
    to=(_DAY, Field(None, description="The last date, inclusive; today when left out")),
)


class UsageOfDay(BaseModel):
    """`change` is what came less what went, or the calls made; `total` is what there was at the day's end.

    The total of calls is that of the month so far.
    """

    day: dt.date
    kind: str
    change: int
    total: int


class OverageOfMonth(BaseModel):
    month: dt.date
    kind: str
    amount: int


class UsageByDay(BaseModel):
    """Days on which something changed, oldest first; `overage` is that of the months they are in."""

    from_: Annotated[dt.date, Field(alias="from")]
    to: dt.date
    data: list[UsageOfDay]
    overage: list[OverageOfMonth]


def plan_operations() -> list[Operation]:
    tag, address = "plan", "/v1/workspaces/{workspace}/plan"
    return [
        Operation("GET", address, _plan, "Get the plan and what is used of it", tag, "viewer", {200: Plan}),
        Operation(
            "GET",
            f"{address}/usage",
            _usage,
            "Get the usage by kind and day",
            tag,
            "viewer",
            {200: UsageByDay},
            query=UsageQuery,
        ),
    ]


async def _plan(call: Call) -> Response:
    await call.services.meter.flush_one(call.caller.workspace_id)
    async with call.transaction() as tx:
        found = await usage.usage(tx)
    plan = found.plan
    return json(
        encode(
            {
                "plan": found.name,
                "limits": {
                    "items": plan.items,
                    "calls": plan.calls,
                    "seats": plan.seats,
                    "webhooks": plan.webhooks,
                },
                "overage_allowed": {"items": plan.item_overage, "calls": plan.call_overage},
                "events_kept_days": plan.events_days,
                "usage": {
                    "items": found.items,
                    "by_kind": found.by_kind,
                    "calls": found.calls,
                    "seats": found.seats,
                    "webhooks": found.webhooks,
                    "month": found.month.isoformat(),
                    "overage": found.overage,
                },
            }
        )
    )


async def _usage(call: Call) -> Response:
    first, last = _asked(call.query)
    await call.services.meter.flush_one(call.caller.workspace_id)
    async with call.transaction() as tx:
        days = await usage.by_day(tx, first, last)
        beyond = await overage.of(tx, first, last)
    answer: dict[str, Any] = {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "data": [
            {"day": each.day.isoformat(), "kind": each.kind, "change": each.change, "total": each.total}
            for each in days
        ],
        "overage": [
            {"month": row["month"].isoformat(), "kind": row["kind"], "amount": row["amount"]} for row in beyond
        ],
    }
    return json(encode(answer))


def _asked(query: Any) -> tuple[dt.date, dt.date]:
    """The month up to `to`, or today, unless `from` says otherwise; at most a year."""
    today, shown = dt.datetime.now(dt.UTC).date(), dt.timedelta(days=_DAYS_SHOWN - 1)
    given: dt.date | None = query.from_
    last: dt.date = query.to or max(today, given or today)
    first = given or (last - shown if last > dt.date.min + shown else dt.date.min)
    if last < first:
        raise Invalid(FieldError("to", "before_from", "must not be before from"))
    if (last - first).days >= _MOST_DAYS:
        raise Invalid(FieldError("from", "range_too_long", f"the range has at most {_MOST_DAYS} days"))
    return first, last
