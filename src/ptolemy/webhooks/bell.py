"""Tells the workers that there is news, after the commit: writers pay nothing for it, and wait for nobody.

A NOTIFY inside the writers' transactions would make their commits queue up for one lock of the whole server. One that
gets lost, with its process, costs some seconds: the workers look by themselves now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import structlog

from ptolemy.database.outage import OUTAGE
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.webhooks.feed import CHANNEL

QUIET_SECONDS = 0.02
"""Between two rings: however much is written, it is fifty statements a second."""

log = structlog.get_logger("ptolemy.webhooks")


@asynccontextmanager
async def ringing(database: Database) -> AsyncIterator[None]:
    """While it is open, every commit of events through this database is told to the workers."""
    bell = _Bell(database)
    database.on_events = bell.ring
    task = asyncio.create_task(bell.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


class _Bell:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._news: set[UUID] = set()
        self._rung = asyncio.Event()

    def ring(self, workspace_id: UUID) -> None:
        self._news.add(workspace_id)
        self._rung.set()

    async def run(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            workspaces, self._news = list(self._news), set()
            try:
                async with self._database.session() as session:
                    # Only where somebody wants to hear it.
                    statement = Sql.of(
                        "select pg_notify(?, workspace_id::text) from webhook_feeds"
                        " where workspace_id = any(?::uuid[]) and wanted",
                        CHANNEL,
                        workspaces,
                    )
                    await session.rows(statement)
            except (*OUTAGE, asyncpg.PostgresError) as error:
                log.warning("bell_unheard", reason=repr(error))
            await asyncio.sleep(QUIET_SECONDS)
