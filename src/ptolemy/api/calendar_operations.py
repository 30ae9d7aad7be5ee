"""A market's sessions, whether it is open, and its calendar from a published one, over HTTP."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, create_model
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE
from ptolemy.api.services import Call
from ptolemy.calendars.generate import Action, Asked, Change, Outcome, State, generate
from ptolemy.calendars.hours import NO_TIMEZONE
from ptolemy.calendars.opening import opening, session_hours
from ptolemy.database.transaction import Row
from ptolemy.engine import lookup, read, render
from ptolemy.engine.fields import Date, Mic, Timestamp
from ptolemy.engine.fields import Field as Of
from ptolemy.engine.filters import Condition
from ptolemy.engine.read import Query
from ptolemy.engine.schemas import Body, PageOf
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.timestamps import write_timestamp
from ptolemy.resources.market_calendars import MarketCalendars
from ptolemy.resources.markets import Markets

FIRST_CHANGES = 1000

_days = MarketCalendars.fields


def _given(of: Of[Any], meaning: str, **options: Any) -> tuple[Any, Any]:
    """A parameter of one of our kinds, which may be left out."""
    return of.optional_annotation, Field(None, description=meaning, **options)


SessionQuery = create_model(
    "SessionQuery",
    __base__=Body,
    from_=_given(Date(), "The first date; the first that there is when left out", alias="from"),
    to=_given(Date(), "The last date, inclusive; the last that there is when left out"),
    limit=(Annotated[int, Field(ge=1)], 50),
    after=(str | None, None),
)
OpenQuery = create_model("OpenQuery", __base__=Body, at=_given(Timestamp(), "An instant; now when left out"))
GenerateRequest = create_model(
    "GenerateRequest",
    __base__=Body,
    mic=_given(Mic(), "Names the published calendar; the market's own when left out"),
    from_=_given(Date(), "The first date; the first that is known when left out", alias="from"),
    to=_given(Date(), "The last date, inclusive; the last that is known when left out"),
    dry_run=(bool, False),
)


class Session(BaseModel):
    """An open day; its times are on the market's clock, and null with the instants where they aren't known."""

    date: dt.date
    opens_at: dt.datetime | None
    closes_at: dt.datetime | None
    open_time: str | None
    close_time: str | None
    name: str | None
    source: str


class SessionPage(PageOf[Session]):
    pass


class Openness(BaseModel):
    """Whether a market is open at an instant; a session is half-open, so at its close the market is closed."""

    market_id: UUID
    at: dt.datetime
    is_open: bool
    session: Session | None
    next_open: dt.datetime | None
    next_close: dt.datetime | None
    warnings: list[str] = []


class DayState(BaseModel):
    is_open: bool
    open_time: str | None
    close_time: str | None
    name: str | None


class DayChange(BaseModel):
    """A day that differs; `keep_manual` is one that people wrote and that the published calendar sees otherwise."""

    date: dt.date
    action: Action
    from_: Annotated[DayState | None, Field(alias="from")]
    to: DayState | None


class Generated(BaseModel):
    """What became of the days from `from` to `to`; `changes` has the first 1,000 that differ."""

    market_id: UUID
    mic: str
    source: str
    from_: Annotated[dt.date, Field(alias="from")]
    to: dt.date
    dry_run: bool
    created: int
    updated: int
    removed: int
    unchanged: int
    kept_manual: int
    changes: list[DayChange]
    warnings: list[str] = []


def calendar_operations() -> list[Operation]:
    market = f"{WORKSPACE}/markets/{{id}}"
    reading: dict[str, Any] = {"tag": Markets.collection, "access": "viewer", "find": _find}
    return [
        Operation(
            "GET",
            f"{market}/sessions",
            _sessions,
            "List a market's sessions",
            answers={200: SessionPage},
            query=SessionQuery,
            **reading,
        ),
        Operation(
            "GET",
            f"{market}/is-open",
            _is_open,
            "Is a market open?",
            answers={200: Openness},
            query=OpenQuery,
            **reading,
        ),
        Operation(
            "POST",
            f"{market}/calendar/generate",
            _generate,
            "Fill a market's calendar from a published one",
            Markets.collection,
            "member",
            {200: Generated},
            body=GenerateRequest,
            problems=(409,),
            find=_find,
        ),
    ]


async def _find(call: Call) -> None:
    async with call.transaction() as tx:
        await lookup.one(tx, Markets, call.path["id"])


async def _sessions(call: Call) -> Response:
    """The open days between two dates, oldest first, with their instants."""
    async with call.transaction() as tx:
        market = await lookup.one(tx, Markets, call.path["id"])
        page = await read.page(tx, MarketCalendars, _open_days(market, call.query), call.services.cursors)
    if market["timezone"] is None:
        page = replace(page, warnings=[*page.warnings, NO_TIMEZONE])
    return json(render.envelope([_session(row, market) for row in page.rows], page))


def _open_days(market: Row, asked: Any) -> Query:
    if asked.from_ and asked.to and asked.to < asked.from_:
        raise Invalid(FieldError("to", "before_from", "must not be before from"))
    wanted = [("is_open", "eq", True), ("market_id", "eq", str(market["id"]))]
    wanted += [("date", op, day.isoformat()) for op, day in (("gte", asked.from_), ("lte", asked.to)) if day]
    condition = {"and": [{"field": field, "op": op, "value": value} for field, op, value in wanted]}
    return Query(Condition.model_validate(condition), sort=[("date", "asc")], limit=asked.limit, after=asked.after)


async def _is_open(call: Call) -> Response:
    """Whether the market is open at an instant, by its calendar, and when it opens and closes next."""
    at = call.query.at or dt.datetime.now(dt.UTC)
    async with call.transaction() as tx:
        market = await lookup.one(tx, Markets, call.path["id"])
        found = await opening(tx, market, at)
    answer = {
        "market_id": str(market["id"]),
        "at": write_timestamp(at),
        "is_open": found.session is not None,
        "session": _session(found.session, market) if found.session else None,
        "next_open": _instant(found.next_open),
        "next_close": _instant(found.next_close),
    }
    return json(encode(answer | render.warned(found.warnings)))


async def _generate(call: Call) -> Response:
    """Fills the calendar; what people wrote is never overwritten, and `dry_run` writes nothing."""
    asked = call.body
    async with call.transaction() as tx:
        outcome = await generate(tx, Asked(call.path["id"], asked.mic, asked.from_, asked.to, asked.dry_run))
    return json(encode(_generated(outcome, asked.dry_run)))


def _generated(outcome: Outcome, dry_run: bool) -> dict[str, Any]:
    warnings, number = list(outcome.warnings), len(outcome.changes)
    if number > FIRST_CHANGES:
        warnings.append(f"changes has the first {FIRST_CHANGES} of {number} days")
    answer: dict[str, Any] = {
        "market_id": str(outcome.market["id"]),
        "mic": outcome.calendar.name,
        "source": outcome.source,
        "from": outcome.first.isoformat(),
        "to": outcome.last.isoformat(),
        "dry_run": dry_run,
        "created": len(outcome.having("create")),
        "updated": len(outcome.having("update")),
        "removed": len(outcome.having("remove")),
        "unchanged": outcome.unchanged,
        "kept_manual": outcome.kept_manual,
        "changes": [_change(change) for change in outcome.changes[:FIRST_CHANGES]],
    }
    return answer | render.warned(warnings)


def _change(change: Change) -> dict[str, Any]:
    sides = {"from": _state(change.before), "to": _state(change.after)}
    return {"date": change.day.isoformat(), "action": change.action, **sides}


def _state(state: State | None) -> dict[str, Any] | None:
    return None if state is None else _shown(state._asdict())


def _session(row: Row, market: Row) -> dict[str, Any]:
    session = session_hours(row, market)
    return {
        **_shown({"date": row["date"]}),
        "opens_at": _instant(session.opens if session else None),
        "closes_at": _instant(session.closes if session else None),
        **_shown({name: row[name] for name in ("open_time", "close_time", "name", "source")}),
    }


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value is None else _days[name].show(value) for name, value in values.items()}


def _instant(at: dt.datetime | None) -> str | None:
    return None if at is None else write_timestamp(at)
