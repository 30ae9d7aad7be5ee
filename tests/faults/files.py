"""Files to import, with what is wrong with them known to the row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ROWS = 4000
MANY_VALUES = 200_000
_HEADER = "identifier,name,type_id,archived_at,field.sector,field.shares"


@dataclass(frozen=True)
class Sent:
    """A CSV file. `errors` are (row, line, field, code)."""

    resource_type: str
    content: bytes
    rows: int
    errors: Sequence[tuple[int, int, str, str]] = ()

    @property
    def good(self) -> int:
        return self.rows - len(self.errors)


def good_instruments(rows: int = ROWS) -> Sent:
    """Every fifth one is archived: nothing in the database keeps such a row from being stored twice."""
    return Sent("instruments", _csv(_HEADER, map(_instrument, range(1, rows + 1))), rows)


def plain_instruments(rows: int) -> Sent:
    """`i1` and so on, none archived, so that values may be written to them."""
    return Sent("instruments", _csv("identifier,name,type_id", (f"i{n},I,equity" for n in range(1, rows + 1))), rows)


def mixed_instruments(rows: int = ROWS) -> Sent:
    """The good ones with a bad row now and then, of three kinds in turn."""
    lines, errors = [], []
    for number in range(1, rows + 1):
        kind = number // 97 % 3 if number % 97 == 0 else None
        if kind == 0:
            lines.append(f"i{number},Bad,nothing,,,")
            errors.append((number, number + 1, "type_id", "unknown_reference"))
        elif kind == 1:
            lines.append(f"i{number},Bad,equity,,,many")
            errors.append((number, number + 1, "field_values.shares", "invalid_number"))
        elif kind == 2:
            # Row 1 has that identifier, some batches ago.
            lines.append("i1,Bad,equity,,,")
            errors.append((number, number + 1, "identifier", "conflict"))
        else:
            lines.append(_instrument(number))
    return Sent("instruments", _csv(_HEADER, lines), rows, errors)


def values(instruments: int, rows: int, *, mixed: bool = False) -> Sent:
    """Closes of instruments that are there, every fifth archived; a mixed file has a bad number now and then."""
    lines, errors = [], []
    for number in range(1, rows + 1):
        bad = mixed and number % 97 == 0
        if bad:
            errors.append((number, number + 1, "value", "invalid_number"))
        archived = "2026-01-01" if number % 5 == 0 else ""
        time = f"{2000 + number // 1000}-01-01T{number // 60 % 24:02}:{number % 60:02}:00.{number % 1000:03}Z"
        lines.append(f"i{number % instruments + 1},close,{time},{'many' if bad else f'{number}.50'},{archived}")
    return Sent("time_series_values", _csv("instrument,type_id,timestamp,value,archived_at", lines), rows, errors)


def bars(instruments: int, rows: int) -> Sent:
    """Open, high, low and close of instruments that are there."""
    lines = [
        f"i{n % instruments + 1},bar,{2000 + n // 365}-01-01T00:{n % 60:02}:00.{n:05}Z,1,1,1,1" for n in range(rows)
    ]
    header = "instrument,type_id,timestamp,item.open,item.high,item.low,item.close"
    return Sent("composite_time_series_values", _csv(header, lines), rows)


def _csv(header: str, lines: Iterable[str]) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def _instrument(number: int) -> str:
    archived = "2026-01-01" if number % 5 == 0 else ""
    return f"i{number},Name {number},equity,{archived},Sector {number % 7},{number}.50"
