"""What it looks like when the database restarts, or can't be reached for now."""

from __future__ import annotations

import asyncpg

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
)
"""Errors that say nothing of the statement."""
