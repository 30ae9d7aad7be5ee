"""Instants and dates as they are: the driver takes the first and the last of its calendar for infinities.

People write `9999-12-31` for "never"; it must not become PostgreSQL's `infinity`, which no file can carry.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from ptolemy.database.transaction import Driver

_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = date(2000, 1, 1).toordinal()


async def take_instants_literally(driver: Driver) -> None:
    """For this connection: instants as microseconds, dates as days since 2000, as PostgreSQL sends them."""
    await driver.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda instant: ((instant - _INSTANT) // _MICROSECOND,),
        decoder=lambda sent: _INSTANT + timedelta(microseconds=sent[0]),
    )
    await driver.set_type_codec(
        "date",
        schema="pg_catalog",
        format="tuple",
        encoder=lambda day: (day.toordinal() - _DAY,),
        decoder=lambda sent: date.fromordinal(sent[0] + _DAY),
    )
