"""When a schedule's turns are, on clocks that are put forward and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptolemy.backups.cron import next_turn, period


def turns(schedule: str, timezone: str, after: str, count: int) -> list[str]:
    """As the scheduler finds them: each from the one before."""
    found, last = [], datetime.fromisoformat(after)
    for _ in range(count):
        last = next_turn(schedule, timezone, last)
        found.append(last.isoformat().replace("+00:00", "Z"))
    return found


def test_a_turn_is_on_the_clock_of_its_time_zone() -> None:
    assert turns("0 2 * * *", "Australia/Sydney", "2026-01-01T00:00:00Z", 2) == [
        "2026-01-01T15:00:00Z",
        "2026-01-02T15:00:00Z",
    ]
    # Winter time.
    assert turns("0 2 * * *", "Australia/Sydney", "2026-07-01T00:00:00Z", 1) == ["2026-07-01T16:00:00Z"]


def test_a_local_time_that_does_not_exist_has_its_turn_once() -> None:
    # In New York the clock goes from 02:00 to 03:00 on 8 March 2026.
    assert turns("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2) == [
        "2026-03-08T07:00:00Z",
        "2026-03-09T06:30:00Z",
    ]


def test_a_local_time_that_exists_twice_has_its_turn_once() -> None:
    # In New York 01:30 is at 05:30 UTC, and an hour later once more, on 1 November 2026.
    assert turns("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2) == [
        "2026-11-01T05:30:00Z",
        "2026-11-02T06:30:00Z",
    ]


@pytest.mark.parametrize("after", ["2026-11-01T05:30:00Z", "2026-11-01T05:45:00Z", "2026-11-01T06:10:00Z"])
def test_whoever_looks_in_the_hour_that_comes_twice_does_not_run_again(after: str) -> None:
    assert turns("30 1 * * *", "America/New_York", after, 1) == ["2026-11-02T06:30:00Z"]


@given(
    st.sampled_from(["30 2 * * *", "0 0 * * *", "15 1,3 * * *", "0 3 1 * *", "45 1 * * 0", "0 12 29 2 *"]),
    st.sampled_from(sorted(available_timezones() - {"localtime", "Factory", "posixrules"})),
    st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),
)
def test_turns_only_go_forward_and_one_day_has_at_most_its_own(schedule: str, timezone: str, after: datetime) -> None:
    first = next_turn(schedule, timezone, after)
    second = next_turn(schedule, timezone, first)
    assert after < first < second
    if schedule.split()[1].isdigit():
        local = [turn.astimezone(ZoneInfo(timezone)).date() for turn in (first, second)]
        assert local[0] < local[1] or second - first > timedelta(hours=20)


@pytest.mark.parametrize(
    ("schedule", "days"),
    [("0 2 * * *", 1), ("0 2 * * 1-5", 3), ("0 2 * * 0", 7), ("0 2 1 * *", 31), ("0 */6 * * *", 0.25)],
)
def test_the_period_of_a_schedule_is_the_longest_time_between_two_turns(schedule: str, days: float) -> None:
    assert period(schedule, "UTC", datetime(2026, 1, 1, tzinfo=UTC)) == timedelta(days=days)
