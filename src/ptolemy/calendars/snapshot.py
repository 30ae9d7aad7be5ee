"""The published exchange calendars that come with the product, as `docs/make_calendars.py` has taken them.

One Parquet file, with a row group a calendar: every session with its local opening and closing time, and every Monday
to Friday without a session. Its metadata says what library they come from, and what each calendar covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

FILE = Path(__file__).parent / "data" / "exchange_calendars.parquet"
SCHEMA = pa.schema(
    [
        pa.field("date", pa.date32(), nullable=False),
        # Seconds since midnight; null on a day without a session.
        pa.field("open", pa.int32()),
        pa.field("close", pa.int32()),
        pa.field("name", pa.string()),
    ]
)

_KEY = b"ptolemy.calendars"


class Day(NamedTuple):
    """A day of an exchange, on the exchange's own clock; without times it is closed."""

    date: date
    open: time | None
    close: time | None
    name: str | None


@dataclass(frozen=True)
class Calendar:
    """What there is of one exchange: `mics` are its names, `timezone` its clock, `first` to `last` its days."""

    name: str
    mics: tuple[str, ...]
    timezone: str
    first: date
    last: date


class _Described(msgspec.Struct):
    source: str
    calendars: list[Calendar]


@dataclass(frozen=True)
class Snapshot:
    source: str
    """The library and its version: `exchange_calendars 4.13.2`."""
    calendars: Sequence[Calendar]
    path: Path

    @classmethod
    def open(cls, path: Path) -> Snapshot:
        described = msgspec.json.decode(pq.read_schema(path).metadata[_KEY], type=_Described)
        return cls(described.source, tuple(described.calendars), path)

    @property
    def by_mic(self) -> Mapping[str, Calendar]:
        return {mic: calendar for calendar in self.calendars for mic in calendar.mics}

    def days(self, name: str) -> list[Day]:
        """All days of a calendar, in order; reads a file, so not for the event loop."""
        position = [calendar.name for calendar in self.calendars].index(name)
        columns = pq.ParquetFile(self.path).read_row_group(position).to_pydict()
        rows = zip(columns["date"], columns["open"], columns["close"], columns["name"], strict=True)
        return [Day(day, _time(opens), _time(closes), called) for day, opens, closes, called in rows]


@cache
def shipped() -> Snapshot:
    """The snapshot of this version of the product."""
    return Snapshot.open(FILE)


def metadata(library: str, version: str, calendars: Sequence[Calendar]) -> dict[bytes, bytes]:
    """What the file says of itself."""
    return {_KEY: msgspec.json.encode(_Described(f"{library} {version}", list(calendars)))}


@cache
def _time(seconds: int | None) -> time | None:
    return None if seconds is None else datetime.min.replace(hour=seconds // 3600, minute=seconds // 60 % 60).time()
