"""A market's calendar from a published one: what the library says goes in, what people wrote stays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from ptolemy.calendars.hours import clock, hours
from ptolemy.calendars.snapshot import Calendar, Day, shipped
from ptolemy.catalogue import MARKET_CALENDARS
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lifecycle, lookup, write
from ptolemy.engine.write import Write, creation, loaded
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, Problem
from ptolemy.resources.market_calendars import MANUAL, lock_calendars
from ptolemy.resources.markets import Markets

Action = Literal["create", "update", "remove", "keep_manual"]


@dataclass(frozen=True)
class Asked:
    """`mic` names the published calendar, the market's own unless given; without `first`, `last` all that is known."""

    market: str
    mic: str | None = None
    first: date | None = None
    last: date | None = None
    dry_run: bool = False


class State(NamedTuple):
    """What a calendar says of a day."""

    is_open: bool
    open_time: time | None
    close_time: time | None
    name: str | None


@dataclass(frozen=True)
class Change:
    """What became, or would become, of a day; a manual day that the library sees otherwise is kept."""

    day: date
    action: Action
    before: State | None
    after: State | None
    row: Row | None


@dataclass
class Outcome:
    market: Row
    calendar: Calendar
    source: str
    first: date
    last: date
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    kept_manual: int = 0
    warnings: list[str] = field(default_factory=list)

    def having(self, action: Action) -> list[Change]:
        return [change for change in self.changes if change.action == action]


async def generate(tx: Transaction, asked: Asked) -> Outcome:
    """Fills the calendar, or with `dry_run` says what would change; generating twice changes nothing."""
    await lock_calendars(tx)
    market = await lookup.one(tx, Markets, asked.market, lock="for key share")
    if market["archived_at"] is not None:
        raise Conflict("parent_archived", "the market is archived: restore it first")
    calendar = _calendar(market, asked.mic)
    outcome = _begun(market, calendar, asked)
    zones = ZoneInfo(calendar.timezone), clock(market)
    published = await asyncio.to_thread(_published, calendar, outcome.first, outcome.last, *zones)
    _compare(outcome, published, await _rows(tx, outcome))
    if not asked.dry_run:
        await _apply(tx, outcome)
    return outcome


def _calendar(market: Row, mic: str | None) -> Calendar:
    known, wanted = shipped().by_mic, mic or market["mic"]
    if wanted is None:
        raise Invalid(FieldError("mic", "required", "must be given, since the market has none"))
    if wanted not in known:
        message = f"there is no published calendar of {wanted}, there are those of {', '.join(sorted(known))}"
        raise Invalid(FieldError("mic", "unknown_calendar", message))
    return known[wanted]


def _begun(market: Row, calendar: Calendar, asked: Asked) -> Outcome:
    first, last = asked.first or calendar.first, asked.last or max(calendar.last, asked.first or calendar.last)
    if first > last:
        raise Invalid(FieldError("to", "before_from", "must not be before from"))
    kept = max(first, calendar.first), min(last, calendar.last)
    outcome = Outcome(market, calendar, shipped().source, *kept)
    if kept != (first, last):
        outcome.warnings.append(f"the calendar of {calendar.name} is known from {calendar.first} to {calendar.last}")
    if market["timezone"] is None:
        advice = f"set its timezone to {calendar.timezone} and generate again"
        outcome.warnings.append(f"the market has no timezone, so its times are in UTC: {advice}")
    return outcome


def _published(
    calendar: Calendar, first: date, last: date, published_in: ZoneInfo, wanted_in: ZoneInfo
) -> dict[date, State]:
    days = [day for day in shipped().days(calendar.name) if first <= day.date <= last]
    if published_in.key == wanted_in.key:
        return {day.date: State(day.open is not None, day.open, day.close, day.name) for day in days}
    return {day.date: _on_another_clock(day, calendar, published_in, wanted_in) for day in days}


def _on_another_clock(day: Day, calendar: Calendar, published_in: ZoneInfo, wanted_in: ZoneInfo) -> State:
    if day.open is None:
        return State(False, None, None, day.name)
    session = hours(day.date, day.open, day.close, published_in)
    opens, closes = (instant.astimezone(wanted_in).time() for instant in session)
    if hours(day.date, opens, closes, wanted_in) != session:
        message = (
            f"the session of {day.date} is on no one date of the market's timezone {wanted_in.key}:"
            f" the exchange's is {calendar.timezone}"
        )
        raise Invalid(FieldError("mic", "timezone_too_far", message))
    return State(True, opens, closes, day.name)


async def _rows(tx: Transaction, outcome: Outcome) -> list[Row]:
    statement = Sql.of(
        "select * from market_calendars"
        " where workspace_id = ? and market_id = ? and date between ? and ?"
        " order by id for no key update",
        tx.workspace_id,
        outcome.market["id"],
        outcome.first,
        outcome.last,
    )
    return await tx.rows(statement)


def _compare(outcome: Outcome, published: Mapping[date, State], rows: Sequence[Row]) -> None:
    there = {row["date"]: row for row in rows}
    for day in sorted(published.keys() | there.keys()):
        row, after = there.get(day), published.get(day)
        before = State(*(row[name] for name in State._fields)) if row else None
        manual = row is not None and row["source"] == MANUAL
        outcome.kept_manual += manual
        if before == after:
            outcome.unchanged += not manual
        elif not manual:
            action: Action = "create" if row is None else "update" if after else "remove"
            outcome.changes.append(Change(day, action, before, after, row))
        elif after:
            outcome.changes.append(Change(day, "keep_manual", before, after, row))


async def _apply(tx: Transaction, outcome: Outcome) -> None:
    await write.save(tx, MARKET_CALENDARS, [_update(outcome, change) for change in outcome.having("update")])
    gone = [change.row for change in outcome.having("remove") if change.row]
    await lifecycle.remove(tx, MARKET_CALENDARS, gone)
    created = outcome.having("create")
    answers = await write.save_each(tx, MARKET_CALENDARS, [_creation(outcome, change) for change in created])
    for change, answer in zip(created, answers, strict=True):
        if isinstance(answer, Problem):
            if not isinstance(answer, Conflict):
                raise answer
            # Somebody has written this very day by hand, just now.
            outcome.changes.remove(change)
            outcome.kept_manual += 1


def _creation(outcome: Outcome, change: Change) -> Write:
    return creation(
        MARKET_CALENDARS, {"market_id": str(outcome.market["id"]), "date": change.day, **_values(outcome, change)}
    )


def _update(outcome: Outcome, change: Change) -> Write:
    assert change.row is not None  # noqa: S101 - a day that is updated is there
    values = _values(outcome, change)
    return Write("updated", change.row, loaded(MARKET_CALENDARS, change.row) | values, values)


def _values(outcome: Outcome, change: Change) -> dict[str, Any]:
    assert change.after is not None  # noqa: S101 - only a removed day has none
    return {**change.after._asdict(), "source": outcome.source}
