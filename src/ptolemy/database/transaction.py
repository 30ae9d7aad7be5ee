"""One unit of work: the only door to the driver."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from ptolemy.database.sql import Sql, numbered
from ptolemy.kernel.actors import Actor, Caller

Row = Mapping[str, Any]
Driver: TypeAlias = asyncpg.Connection
"""The driver itself: COPY, cursors and listening need it; everything else goes through `Session`."""


class Overtaken(Exception):
    """Another transaction came between: done again from its beginning, this one will see what that one wrote."""


class Session:
    """An open transaction that belongs to no workspace: sign-in, the queue, administration."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    async def rows(self, sql: Sql) -> list[Row]:
        rows: list[Row] = await self.driver.fetch(numbered(sql.text), *sql.args)
        return rows

    async def row(self, sql: Sql) -> Row | None:
        row: Row | None = await self.driver.fetchrow(numbered(sql.text), *sql.args)
        return row

    async def value(self, sql: Sql) -> Any:
        return await self.driver.fetchval(numbered(sql.text), *sql.args)

    @asynccontextmanager
    async def under_way(self, sql: Sql) -> AsyncIterator[asyncio.Task[list[Row]]]:
        """The statement is sent, and the database works on it, while the block does something else: no statement."""
        running = asyncio.create_task(self.rows(sql))
        try:
            await asyncio.sleep(0)
            yield running
        finally:
            await asyncio.wait([running])

    async def run(self, sql: Sql) -> int:
        """Runs a statement; answers how many rows it touched."""
        status = await self.driver.execute(numbered(sql.text), *sql.args)
        last = status.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What happens inside is undone, alone, where it raises."""
        # Not the driver's own: it refuses a transaction that it didn't begin. One name does, the latest is meant.
        await self.driver.execute("savepoint one")
        try:
            yield
        except BaseException:
            if not self.driver.is_closed():
                await self.driver.execute("rollback to savepoint one; release savepoint one")
            raise
        await self.driver.execute("release savepoint one")


class Transaction(Session):
    """An open transaction in one workspace, on behalf of one caller.

    `tally` is what was counted so far, for `at_end` to write: all at once, as late as can be. `distributed` says that
    tenant tables lie on other servers, which number their transactions themselves.
    """

    def __init__(self, driver: Driver, caller: Caller, epoch: int, *, distributed: bool = False) -> None:
        super().__init__(driver)
        self.caller, self.epoch, self.distributed = caller, epoch, distributed
        self.told: set[UUID] = set()
        """The workspaces that this transaction has written events of."""
        self.tally: Counter[str] = Counter()
        self.at_end: Callable[[Transaction], Awaitable[None]] | None = None

    @property
    def workspace_id(self) -> UUID:
        return self.caller.workspace_id

    @property
    def actor(self) -> Actor:
        return self.caller.actor

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What happens inside is undone, alone, where it raises; what was tallied inside is forgotten."""
        before = self.tally.copy()
        try:
            async with super().savepoint():
                yield
        except BaseException:
            self.tally = before
            raise

    async def settle(self) -> None:
        """Writes what was tallied. It comes last, before the commit: others may wait for what it locks."""
        if self.at_end and self.tally:
            await self.at_end(self)

    async def lock(self, subject: str) -> None:
        """Hold `subject` in this workspace until the end; others that ask for it wait."""
        key = f"{subject}:{self.workspace_id}"
        await self.run(Sql.of("select pg_advisory_xact_lock(hashtextextended(?, 0))", key))
