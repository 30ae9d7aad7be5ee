"""Is a market open at an instant, and when does it open next?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from ptolemy.calendars.hours import NO_TIMEZONE, Hours, clock, day_at, hours
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction

_SATURDAY = 5


@dataclass(frozen=True)
class Opening:
    """`session` is the day whose session includes the instant; without one the market is closed."""

    session: Row | None
    next_open: datetime | None
    next_close: datetime | None
    warnings: Sequence[str]


async def opening(tx: Transaction, market: Row, at: datetime) -> Opening:
    """What the market's calendar says of an instant."""
    zone = clock(market)
    today = day_at(at, zone)
    days = await _open_days(tx, market, today)
    sessions = [(row, hours(row["date"], row["open_time"], row["close_time"], zone)) for row in days]
    session = next((row for row, each in sessions if each.include(at)), None)
    return Opening(
        session,
        min((each.opens for _, each in sessions if each.opens > at), default=None),
        min((each.closes for _, each in sessions if each.closes > at), default=None),
        [warning async for warning in _warnings(tx, market, today, session)],
    )


def session_hours(row: Row, market: Row) -> Hours | None:
    """From when to when the session of a calendar's day is; None where its times aren't known."""
    if row["open_time"] is None:
        return None
    return hours(row["date"], row["open_time"], row["close_time"], clock(market))


async def _open_days(tx: Transaction, market: Row, today: date) -> list[Row]:
    """Yesterday's session may end at midnight, tomorrow's may have begun; two more to see what opens next."""
    statement = Sql.of(
        "select * from market_calendars"
        " where workspace_id = ? and market_id = ? and is_open and date >= ?"
        " order by date limit 5",
        tx.workspace_id,
        market["id"],
        max(today, date.min + timedelta(days=1)) - timedelta(days=1),
    )
    return await tx.rows(statement)


async def _warnings(tx: Transaction, market: Row, today: date, session: Row | None) -> AsyncIterator[str]:
    if market["timezone"] is None:
        yield NO_TIMEZONE
    if session is not None and session["open_time"] is None:
        yield f"the calendar has no times for {session['date']}: all of the day counts as open"
    if session is None and not await _is_told(tx, market, today):
        yield f"the calendar has no row for {today}: the market counts as closed"


async def _is_told(tx: Transaction, market: Row, day: date) -> bool:
    """Whether the calendar says something of a day: by a row or, of a weekend amid its rows, by none."""
    of_market = "select date from market_calendars where workspace_id = ? and market_id = ?"
    nearest = Sql.of(
        f"({of_market} and date <= ? order by date desc limit 1)"
        f" union all ({of_market} and date >= ? order by date limit 1)",
        *(tx.workspace_id, market["id"], day) * 2,
    )
    found = [row["date"] for row in await tx.rows(nearest)]
    return day in found or (len(found) == 2 and day.weekday() >= _SATURDAY)
