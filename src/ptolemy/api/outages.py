"""What a request is answered that meets a database which is away or has no room: neither its fault nor ours."""

from __future__ import annotations

from typing import ClassVar

import asyncpg

from ptolemy.database.outage import NO_ROOM, is_away
from ptolemy.kernel.problems import Problem, Unavailable

RETRY_AFTER_SECONDS = 5
"""An embedded server is back within some two seconds, and a client that asks five times has waited half a minute."""

_READING = frozenset({"GET", "HEAD"})
_AWAY = "the database can't be reached at this moment: try again in some seconds"
# The line may have broken after the commit went out and before its answer came.
_UNKNOWN = (
    f"{_AWAY}. What the request was to change is changed as a whole or not at all, and the server can't say which:"
    " with the same Idempotency-Key it is done once, without one look first"
)


class DatabaseFull(Problem):
    status: ClassVar[int] = 507  # RFC 4918
    title: ClassVar[str] = "Insufficient storage"


def outage_problem(error: Exception, method: str) -> Problem | None:
    """The problem that the error is to the user; None for a fault of ours."""
    if isinstance(error, asyncpg.DiskFullError):
        return DatabaseFull("database_full", NO_ROOM)
    if is_away(error):
        said = _AWAY if method in _READING else _UNKNOWN
        return Unavailable("database_unavailable", said, retry_after_seconds=RETRY_AFTER_SECONDS)
    return None
