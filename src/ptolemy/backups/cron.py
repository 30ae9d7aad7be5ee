"""When a schedule's turns are, on a clock of the users' own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from ptolemy.engine.fields import Text
from ptolemy.kernel.quoting import seen

_FORM = re.compile(r"[0-9A-Za-z*/,#-]+( +[0-9A-Za-z*/,#-]+){4}", re.ASCII)
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)
_LOOK_AHEAD = 8
"""Turns of which the longest gap is a schedule's period: a week of working days has one over the weekend."""


class NoTurn(Exception):
    """A schedule that was fine once has no turn any more: the computer doesn't know its time zone now, say."""


class Cron(Text):
    """Five fields: minute, hour, day of the month, month, day of the week; `0 2 * * 1-5` is 02:00 on working days."""

    fault = "invalid_schedule"

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=200, **options)

    def accept(self, value: Any) -> str:
        text = super().accept(value)
        if not _FORM.fullmatch(text):
            raise ValueError(f"must be a cron expression of five fields like 0 2 * * *, got {seen(text)}")
        try:
            next(_turns(text, "UTC", _ANY_DAY))
        except CronSimError as error:
            raise ValueError(
                f"must be a cron expression like 0 2 * * *, got {seen(text)}: {str(error).lower()}"
            ) from None
        except StopIteration:
            raise ValueError(f"must have a turn some time, and {seen(text)} never has") from None
        return text


def next_turn(schedule: str, timezone: str, after: datetime) -> datetime:
    """The first turn behind an instant.

    Of a schedule with a fixed hour and minute, a turn whose local time doesn't exist is at the change of the clock, and
    one whose local time exists twice is the first of the two. Raises `NoTurn`.
    """
    with _turning():
        return next(_turns(schedule, timezone, after))


def period(schedule: str, timezone: str, after: datetime) -> timedelta:
    """The longest time between two turns, of those that come next. Raises `NoTurn`."""
    with _turning():
        return _period(schedule, timezone, after.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0))


@contextmanager
def _turning() -> Iterator[None]:
    try:
        yield
    except (LookupError, ValueError, CronSimError, StopIteration) as error:
        raise NoTurn(str(error)) from error


@lru_cache(maxsize=1000)
def _period(schedule: str, timezone: str, after: datetime) -> timedelta:
    # Asked for twice a minute, and the next leap day is a long walk away.
    coming = [
        after_that - turn for turn, after_that in pairwise(islice(_turns(schedule, timezone, after), _LOOK_AHEAD))
    ]
    return max(coming)


def _turns(schedule: str, timezone: str, after: datetime) -> Iterator[datetime]:
    last = after
    for local in CronSim(schedule, after.astimezone(ZoneInfo(timezone))):
        turn = local.astimezone(UTC)
        # In the hour that the clock shows twice, the second time, the library names the turn of the first time again.
        if turn > last:
            last = turn
            yield turn
