"""From when to when a market trades on a day of its calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ptolemy.database.transaction import Row

MIDNIGHT = time(0)
NO_TIMEZONE = "the market has no timezone: times are taken as UTC"


class Hours(NamedTuple):
    """Half-open: at `closes` the session is over."""

    opens: datetime
    closes: datetime

    def include(self, at: datetime) -> bool:
        return self.opens <= at < self.closes


def clock(market: Row) -> ZoneInfo:
    """The time zone that the times of the market's calendar are in."""
    return ZoneInfo(market["timezone"] or "UTC")


def day_at(instant: datetime, zone: ZoneInfo) -> date:
    """The date on that clock."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError:  # in the first or the last hours that there are
        return instant.date()


def hours(day: date, open_time: time | None, close_time: time | None, zone: ZoneInfo) -> Hours:
    """The instants of the session of `day`; of one whose times aren't known, all of the day.

    A close at 00:00 is the midnight at which the day ends. An opening that isn't before the close is on the day before.
    A time that the clock shows twice, when summer ends, is the first of the two.
    """
    open_time, close_time = open_time or MIDNIGHT, close_time or MIDNIGHT
    until_midnight = close_time == MIDNIGHT
    the_day_before = not until_midnight and open_time >= close_time
    return Hours(_instant(day, -the_day_before, open_time, zone), _instant(day, until_midnight, close_time, zone))


def _instant(day: date, days_on: int, at: time, zone: ZoneInfo) -> datetime:
    try:
        return datetime.combine(day + timedelta(days=days_on), at, zone).astimezone(UTC)
    except OverflowError:
        return (datetime.min if day.year < 5000 else datetime.max).replace(tzinfo=UTC)
