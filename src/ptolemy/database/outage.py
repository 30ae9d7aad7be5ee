"""What it looks like when the database restarts, or can't be reached for now."""

from __future__ import annotations

import asyncpg


class DatabaseAway(ConnectionError):
    """No connection is to be had at this moment; nothing was begun on it."""


DISCONNECTED = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says of a connection that was lost as it was handed out
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process was frozen
)
"""The connection was lost in the middle of something."""

OUTAGE = (
    *DISCONNECTED,
    OSError,  # TimeoutError is among its kinds
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
)
"""Errors that say nothing of the statement."""

NO_ROOM = "the database has no room on its disk: free some space there and try again"


def is_away(error: BaseException) -> bool:
    """Whether the database was lost, or couldn't be reached; not where the driver refuses what it was given.

    An `OSError` that nobody calls the database's may be a file's.
    """
    return isinstance(error, (*DISCONNECTED, asyncpg.TooManyConnectionsError)) and not isinstance(error, ValueError)
