"""UUIDs and the users' own names of records."""

import os
import re
import threading
import time
from uuid import UUID

UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FORBIDDEN = re.compile(r"[/,?#%\\\s]")
MAX_IDENTIFIER = 255

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562), greater than every one this process made before: ids stay in the order of creation."""
    return _uuid7_at(_tick(1), os.urandom(8))


def uuid7s(count: int) -> list[UUID]:
    """`count` new UUIDv7 in ascending order."""
    first, random = _tick(count), os.urandom(8 * count)
    return [_uuid7_at(first + i, random[8 * i : 8 * i + 8]) for i in range(count)]


def _tick(count: int) -> int:
    # 48 bits of milliseconds and 12 bits of fraction: one strictly growing number (RFC 9562, method 3).
    global _last  # noqa: PLW0603 - one clock a process
    with _lock:
        first = max(time.time_ns() * 4096 // 1_000_000, _last + 1)
        _last = first + count - 1
        return first


def _uuid7_at(tick: int, eight_bytes: bytes) -> UUID:
    random = int.from_bytes(eight_bytes) & ((1 << 62) - 1)
    return UUID(int=(tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | random)


def as_uuid(key: str) -> UUID | None:
    """The UUID that `key` writes, or None where it is an identifier."""
    return UUID(key) if UUID_FORM.fullmatch(key) else None


def identifier_fault(text: str) -> str | None:
    """Why `text` can't be an identifier (reference: identifiers), or None."""
    if not 1 <= len(text) <= MAX_IDENTIFIER:
        return f"must have 1 to {MAX_IDENTIFIER} characters"
    if _FORBIDDEN.search(text) or not text.isprintable():
        return "must be visible characters, none of / , ? # % \\ or white space"
    if text in (".", ".."):
        return "must not be . or .., which addresses give a meaning of their own (RFC 3986)"
    if UUID_FORM.fullmatch(text):
        return "must not have the form of a UUID"
    return None
