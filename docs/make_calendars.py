"""Makes the snapshot of published exchange calendars; with `--check` says how it differs from the library instead.

pip install "exchange_calendars" "pandas<3" && python docs/make_calendars.py

The library needs pandas, which the product does not: so it is asked here, once a release. Pandas 3 can't evaluate the
calendars with Orthodox holidays (exchange_calendars 4.13).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from ptolemy.calendars.snapshot import FILE, SCHEMA, Calendar, Day, Snapshot, metadata

LIBRARY = "exchange_calendars"
FIRST, LAST = date(2000, 1, 1), date(2027, 12, 31)
"""`LAST` is about a year ahead: further on, most exchanges have published nothing yet."""

NOT_MICS = frozenset({"24/5", "24/7", "us_futures"})
ALIASES = {
    "XNAS": "XNYS",
    "XASE": "XNYS",
    "ARCX": "XNYS",
    "BATS": "XNYS",
    "OOTC": "XNYS",
    "XTSX": "XTSE",
}
"""MICs (ISO 10383) that the library takes as other names of a calendar; its other aliases are no MICs."""


def main() -> int:
    made = dict(_calendars())
    if "--check" in sys.argv[1:]:
        differences = list(_differences(made))
        sys.stderr.writelines(f"{line}\n" for line in differences)
        return 1 if differences else 0
    _write(made)
    return 0


def _calendars() -> Iterator[tuple[Calendar, list[Day]]]:
    import exchange_calendars  # noqa: PLC0415 - no dependency of this project

    aliases = exchange_calendars.calendar_utils._default_calendar_aliases
    for name in sorted(set(exchange_calendars.get_calendar_names(include_aliases=False)) - NOT_MICS):
        kind = exchange_calendars.calendar_utils._default_calendar_factories[name]
        first, last = _bounds(kind)
        calendar = exchange_calendars.get_calendar(name, start=first, end=last)
        days = list(_days(calendar, first, last))
        mics = [name, *(mic for mic, of in ALIASES.items() if of == name and aliases[mic] == name)]
        yield Calendar(name, tuple(mics), str(calendar.tz), first, last), days


def _bounds(kind: Any) -> tuple[date, date]:
    """As far as the calendar can be evaluated."""
    earliest, latest = kind.bound_min(), kind.bound_max()
    return (
        max(FIRST, earliest.date()) if earliest is not None else FIRST,
        min(LAST, latest.date()) if latest is not None else LAST,
    )


def _days(calendar: Any, first: date, last: date) -> Iterator[Day]:
    """Every session, and every Monday to Friday without one."""
    zone, names = ZoneInfo(str(calendar.tz)), _names(calendar, first, last)
    sessions = {
        label.date(): (opens.to_pydatetime().astimezone(zone), closes.to_pydatetime().astimezone(zone))
        for label, opens, closes in zip(
            calendar.schedule.index, calendar.schedule["open"], calendar.schedule["close"], strict=True
        )
    }
    for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
        if day in sessions:
            opens, closes = sessions[day]
            before = opens.time() >= closes.time()
            if closes.date() != day or opens.date() != day - timedelta(days=before):
                raise ValueError(f"{calendar.name} {day}: from {opens} to {closes} can't be told by two times of day")
            yield Day(day, opens.time(), closes.time(), names.get(day))
        elif day.weekday() < 5:
            yield Day(day, None, None, names.get(day))


def _names(calendar: Any, first: date, last: date) -> Mapping[date, str]:
    """What the library calls its holidays, and the days that open late or close early."""
    import pandas  # noqa: PLC0415 - no dependency of this project

    rules = [calendar.regular_holidays, *(days for _, days in (*calendar.special_opens, *calendar.special_closes))]
    found: dict[date, str] = {}
    for rule in rules:
        if hasattr(rule, "holidays"):
            named = rule.holidays(pandas.Timestamp(first), pandas.Timestamp(last), return_name=True)
            for label, name in named.items() if isinstance(named, pandas.Series) else ():  # no series where none is
                if isinstance(name, str) and name:
                    found.setdefault(label.date(), name)
    return found


def _write(made: Mapping[Calendar, list[Day]]) -> None:
    described = metadata(LIBRARY, version(LIBRARY), list(made))
    packed: dict[str, Any] = {  # a twelfth of what the defaults take
        "compression": "zstd",
        "compression_level": 19,
        "use_dictionary": ["open", "close", "name"],
        "column_encoding": {"date": "DELTA_BINARY_PACKED"},
        "write_statistics": False,
    }
    with pq.ParquetWriter(FILE, SCHEMA.with_metadata(described), **packed) as writer:
        for days in made.values():
            writer.write_table(_table(days), row_group_size=len(days))


def _table(days: Iterable[Day]) -> pa.Table:
    rows = [{**day._asdict(), "open": _seconds(day.open), "close": _seconds(day.close)} for day in days]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _seconds(of: time | None) -> int | None:
    return None if of is None else of.hour * 3600 + of.minute * 60 + of.second


def _differences(made: Mapping[Calendar, list[Day]]) -> Iterator[str]:
    kept = Snapshot.open(FILE)
    if (told := f"{LIBRARY} {version(LIBRARY)}") != kept.source:
        yield f"the snapshot is of {kept.source}, installed is {told}"
    if missing := {calendar.name for calendar in kept.calendars} ^ {calendar.name for calendar in made}:
        yield f"calendars on one side only: {', '.join(sorted(missing))}"
    for calendar, days in made.items():
        if calendar not in kept.calendars:
            yield f"{calendar.name}: {calendar} is new or changed"
            continue
        before = {day.date: day for day in kept.days(calendar.name)}
        now = {day.date: day for day in days}
        for day in sorted(before.keys() | now.keys()):
            if before.get(day) != now.get(day):
                yield f"{calendar.name} {day}: was {before.get(day)}, is {now.get(day)}"


if __name__ == "__main__":
    sys.exit(main())
