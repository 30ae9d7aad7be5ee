"""The published calendars that are shipped, against facts that everybody can look up."""

from __future__ import annotations

import re
from datetime import date, time
from zoneinfo import ZoneInfo

import pytest

from ptolemy.calendars.snapshot import FILE, Calendar, shipped
from ptolemy.engine.fields import Mic

CALENDARS = shipped().calendars
every_calendar = pytest.mark.parametrize("calendar", CALENDARS, ids=lambda calendar: calendar.name)


@pytest.mark.parametrize(
    ("mic", "day", "opens", "closes", "name"),
    [
        ("XNYS", "2024-07-03", "09:30", "13:00", "Wednesdays Before Independence Day including and after 2013"),
        ("XNYS", "2024-07-04", None, None, "July 4th"),
        ("XNYS", "2001-09-11", None, None, None),
        ("XNYS", "2012-10-29", None, None, None),  # Hurricane Sandy
        ("XNYS", "2025-01-09", None, None, None),  # mourning for President Carter
        ("XNYS", "2024-07-05", "09:30", "16:00", None),
        ("XASX", "2024-01-26", None, None, "Australia Day"),
        ("XASX", "2024-12-24", "10:00", "14:10", "Last Trading Day Before Christmas"),
        ("XASX", "2022-09-22", None, None, None),  # mourning for Queen Elizabeth
        ("XLON", "2022-09-19", None, None, None),
        ("XLON", "2024-12-24", "08:00", "12:30", "Christmas Eve"),
        ("XTKS", "2024-11-04", None, None, None),
        ("XTKS", "2024-11-01", "09:00", "15:00", None),
        ("XTKS", "2024-11-05", "09:00", "15:30", None),
        ("CMES", "2024-07-08", "17:00", "17:00", None),
    ],
)
def test_a_day_is_as_it_was(mic: str, day: str, opens: str | None, closes: str | None, name: str | None) -> None:
    [found] = [each for each in shipped().days(mic) if each.date == date.fromisoformat(day)]
    times = tuple(None if text is None else time.fromisoformat(text) for text in (opens, closes))
    assert (found.open, found.close) == times
    assert name is None or found.name == name


def test_a_year_of_new_york_has_its_holidays_and_no_others() -> None:
    closed = [day.date.isoformat() for day in shipped().days("XNYS") if day.date.year == 2025 and day.open is None]
    assert closed == [
        "2025-01-01",
        "2025-01-09",
        "2025-01-20",
        "2025-02-17",
        "2025-04-18",
        "2025-05-26",
        "2025-06-19",
        "2025-07-04",
        "2025-09-01",
        "2025-11-27",
        "2025-12-25",
    ]


@every_calendar
def test_a_calendar_has_a_row_for_every_weekday_that_it_covers(calendar: Calendar) -> None:
    days = shipped().days(calendar.name)
    dates = [day.date for day in days]
    assert dates == sorted(set(dates))
    assert calendar.first <= dates[0]
    assert dates[-1] <= calendar.last
    ordinals = range(calendar.first.toordinal(), calendar.last.toordinal() + 1)
    assert {day for day in map(date.fromordinal, ordinals) if day.weekday() < 5} <= set(dates)
    for day in days:
        assert (day.open is None) == (day.close is None)
        assert day.open is not None or day.date.weekday() < 5
    ZoneInfo(calendar.timezone)


def test_every_name_is_a_mic_and_names_one_calendar() -> None:
    mics = [mic for calendar in CALENDARS for mic in calendar.mics]
    assert len(mics) == len(set(mics)) == len(shipped().by_mic)
    assert [mic for mic in mics if not re.fullmatch(Mic.pattern, mic)] == []


def test_the_snapshot_is_small_and_says_where_it_comes_from() -> None:
    assert FILE.stat().st_size < 200_000
    assert re.fullmatch(r"exchange_calendars \d+(\.\d+)+", shipped().source)
    version = shipped().source.split()[1]
    assert f"version {version}," in " ".join((FILE.parent / "LICENCE.md").read_text().split())
