"""`X-RateLimit-…` on every answer to a robot. People in the dashboard are not metered."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ptolemy.accounts.credentials import Kind
from ptolemy.plans import calls

Header = tuple[bytes, bytes]

_METERED = "metered"


def mark(scope: MutableMapping[str, Any], credential: Kind | None) -> None:
    """Notes that the credentials of a request are good: `headers` has something to say then, if they are a robot's."""
    if credential == "robot":
        scope[_METERED] = True


def headers(scope: MutableMapping[str, Any]) -> Sequence[Header]:
    """The headers that the answer gets, none for people."""
    if _METERED not in scope:
        return ()
    now = datetime.now(UTC)
    return _headers(now.year, now.month)


@lru_cache(maxsize=2)
def _headers(year: int, month: int) -> Sequence[Header]:
    found = calls.allowance(year, month)
    return [
        (b"x-ratelimit-limit", str(found.limit).encode()),
        (b"x-ratelimit-remaining", str(found.remaining).encode()),
        (b"x-ratelimit-reset", str(found.resets_at).encode()),
    ]
