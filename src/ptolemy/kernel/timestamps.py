"""Instants, dates and times of day as ISO 8601 text."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from ptolemy.kernel.quoting import seen

_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?([Zz]|[+-]\d{2}(?::?\d{2})?)?", re.ASCII
)
_USUAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:[0-5]\dZ", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)
_UNREAL = "must be a real instant between the years 1 and 9999"


def parse_timestamp(value: object) -> datetime:
    """An instant with an offset, or a bare date for midnight UTC; a `ValueError` says what is wrong.

    Stored to the microsecond: more digits are a `ValueError` unless they are zeros.
    """
    if not isinstance(value, str):
        raise ValueError("must be an ISO 8601 timestamp with an offset, as text")
    if _USUAL.fullmatch(value):
        return _usual(value)
    if _DATE.fullmatch(value):
        return datetime.combine(parse_date(value), datetime.min.time(), UTC)
    match = _INSTANT.fullmatch(value)
    if not match:
        raise ValueError("must be an ISO 8601 timestamp like 2026-04-15T09:30:00Z, or a date")
    day, hour, minute, second, fraction, offset = match.groups()
    if offset is None:
        raise ValueError("must have an offset: add Z for UTC, or for example +10:00")
    if fraction and fraction[6:].strip("0"):
        raise ValueError("must have at most 6 fractional digits")
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        local = datetime.combine(parse_date(day), datetime.min.time(), _zone(offset))
        local = local.replace(hour=int(hour), minute=int(minute), second=int(second or 0), microsecond=micros)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_UNREAL) from None


def _usual(value: str) -> datetime:
    """`2026-04-15T09:30:00Z`, the form that we answer: ten times as fast, which batches notice."""
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(_UNREAL) from None


def parse_date(value: object) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError("must be a date like 2026-04-15")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a real date between the years 1 and 9999") from None


def parse_time(value: object) -> time:
    """A time of day without an offset, to the minute or to the second; a `ValueError` says what is wrong."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(f"must be a time of day like 09:30 or 09:30:00, from 00:00 to 23:59:59, got {seen(value)}")
    return time.fromisoformat(value)


def write_timestamp(instant: datetime) -> str:
    """In UTC with `Z`; fractional seconds only when there are some, without trailing zeros."""
    text = instant.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if instant.microsecond else text) + "Z"


def _zone(offset: str) -> timezone:
    if offset in "Zz":
        return UTC
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
