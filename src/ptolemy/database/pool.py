"""Connections: one pool under row-level security for requests, one of the owner for bulk work and administration."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from ptolemy.database.instants import take_instants_literally
from ptolemy.database.outage import OUTAGE, DatabaseAway
from ptolemy.database.security import APP, OWNER, role_for
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Driver, Overtaken, Session, Transaction
from ptolemy.kernel import tracing
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.problems import NotFound

KEEPS_FILES = "ptolemy files "
"""How a process calls itself in `pg_stat_activity` that keeps files, before the identity of their store."""

_INSTALLATION = """
select epoch, exists (select from pg_extension where extname = 'citus') as distributed from installation
"""
_NO_CONNECTION = (*OUTAGE, asyncpg.PostgresError)
_OF_WORKSPACES = re.compile(r'constraint "(?:jobs|memberships|tokens)_workspace_id_fkey"')
"""Refuse what somebody adds to a workspace that was removed a moment ago."""


class _Connection(asyncpg.Connection):  # type: ignore[misc] # the driver has no types
    # The reset between two uses costs 0.2 ms, and nothing needs it: settings are `set local`, who listens has a
    # connection of their own.
    def get_reset_query(self) -> str:
        return ""


class Connections(NamedTuple):
    busy: int
    idle: int
    most: int


class Database:
    """An open database. `Database.open(dsn)`, then `transaction(caller)` for nearly everything."""

    def __init__(
        self,
        dsn: str,
        app: asyncpg.Pool,
        owner: asyncpg.Pool,
        epoch: int,
        *,
        distributed: bool,
        patience_seconds: float | None,
    ) -> None:
        self.dsn, self._app, self._owner, self.epoch, self._distributed = dsn, app, owner, epoch, distributed
        self._patience_seconds = patience_seconds
        self.on_events: Callable[[UUID], None] = lambda _: None
        """Called with each workspace whose events have just been committed; it must return at once."""

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        app_connections: int = 16,
        owner_connections: int = 6,
        files: str = "",
        patience_seconds: float | None = None,
    ) -> Database:
        """Expects a migrated schema (`migrations.migrate`).

        `files` is the identity of the file store that this process uses: the server shows it to `doctor`. Who waits
        for a connection for longer than `patience_seconds` is told `DatabaseAway`; jobs wait for as long as it takes.
        """
        owner = await _pool(dsn, OWNER, owner_connections, files)
        try:
            async with owner.acquire() as driver:
                found = await driver.fetchrow(_INSTALLATION)
            app = await _pool(dsn, APP, app_connections, files)
            return cls(
                dsn,
                app,
                owner,
                found["epoch"],
                distributed=found["distributed"],
                patience_seconds=patience_seconds,
            )
        except BaseException:
            await owner.close()
            raise

    async def close(self) -> None:
        await self._app.close()
        await self._owner.close()

    @asynccontextmanager
    async def transaction(self, caller: Caller) -> AsyncIterator[Transaction]:
        """Under row-level security in the caller's workspace; commits at the end, rolls back when it raises."""
        async with self._lent(self._app) as driver:
            async with _begun(driver, f"begin; {_workspace(caller)}"):
                tx = self._transaction(driver, caller)
                yield tx
                await tx.settle()
            self._tell(tx)

    @asynccontextmanager
    async def within(self, tx: Transaction, caller: Caller) -> AsyncIterator[Transaction]:
        """The same transaction on behalf of another caller, in their workspace, until the block ends."""
        await tx.driver.execute(_workspace(caller))
        inner = self._transaction(tx.driver, caller)
        inner.told = tx.told
        yield inner
        await inner.settle()
        # Where the block raises, the setting goes with the savepoint or the transaction that is undone.
        await tx.driver.execute(_workspace(tx.caller))

    @asynccontextmanager
    async def snapshot(self, caller: Caller) -> AsyncIterator[Transaction]:
        """Reads that all see the same instant of the caller's workspace, under row-level security."""
        begin = f"begin isolation level repeatable read read only; {_workspace(caller)}"
        async with self._lent(self._app) as driver, _begun(driver, begin):
            yield self._transaction(driver, caller)

    @asynccontextmanager
    async def bulk(self, caller: Caller) -> AsyncIterator[Transaction]:
        """As the owner, whom row-level security doesn't bind: COPY FROM is refused under it. Mind `workspace_id`."""
        async with self._lent(self._owner) as driver:
            async with _begun(driver, "begin"):
                tx = self._transaction(driver, caller)
                yield tx
                await tx.settle()
            self._tell(tx)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Tables that belong to no workspace: people, tokens, jobs."""
        async with self._lent(self._app) as driver, _begun(driver, "begin"):
            yield Session(driver)

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[Driver]:
        """As the owner, outside any transaction: `create index concurrently` runs in none."""
        async with self._lent(self._owner) as driver:
            yield driver

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[Driver]:
        """As the owner, on a connection of its own that ends with the block, and with it its temporary tables."""
        with _told_as_away():
            driver = await asyncpg.connect(self.dsn, server_settings=_settings(""))
        try:
            await _become(driver, OWNER)
            yield driver
            await driver.close(timeout=10)
        finally:
            # Where the block raised, whatever still runs for it is nobody's business.
            driver.terminate()

    def connections(self) -> Mapping[str, Connections]:
        """Of this process, by what they are for."""
        pools = {"app": self._app, "owner": self._owner}
        return {
            use: Connections(pool.get_size() - pool.get_idle_size(), pool.get_idle_size(), pool.get_max_size())
            for use, pool in pools.items()
        }

    async def row(self, sql: Sql) -> Any:
        """One row of the tables that belong to no workspace, in one round trip."""
        async with self._lent(self._app) as driver:
            return await Session(driver).row(sql)

    async def answers(self) -> bool:
        """Whether it can be asked anything at all now."""
        try:
            await self.row(Sql("select 1"))
        except (*OUTAGE, asyncpg.PostgresError):
            return False
        return True

    async def listener(self) -> Driver:
        """A connection of its own, to LISTEN on; the caller closes it."""
        with _told_as_away():
            return await asyncpg.connect(self.dsn, command_timeout=60)

    def _lent(self, pool: asyncpg.Pool) -> _Lent:
        return _Lent(pool, self._patience_seconds)

    def _transaction(self, driver: Driver, caller: Caller) -> Transaction:
        return Transaction(driver, caller, self.epoch, distributed=self._distributed)

    def _tell(self, tx: Transaction) -> None:
        for workspace_id in tx.told:
            self.on_events(workspace_id)


class _Lent:
    """A connection of a pool until the block ends. Every request comes by: a generator would cost twice as much."""

    def __init__(self, pool: asyncpg.Pool, patience_seconds: float | None) -> None:
        self._pool, self._patience_seconds = pool, patience_seconds

    async def __aenter__(self) -> Driver:
        try:
            # Not the pool's own timeout: that costs a task a connection.
            async with asyncio.timeout(self._patience_seconds):
                self._driver: Driver = await self._pool.acquire()
        except _NO_CONNECTION as error:
            raise _away(error) from error
        return self._driver

    async def __aexit__(self, *_: object) -> None:
        await self._pool.release(self._driver)


@contextmanager
def _told_as_away() -> Iterator[None]:
    """Whatever keeps us from having a connection."""
    try:
        yield
    except _NO_CONNECTION as error:
        raise _away(error) from error


def _away(error: Exception) -> DatabaseAway:
    return DatabaseAway(str(error) or "no connection was to be had in time")


def _workspace(caller: Caller) -> str:
    # A literal, not set_config(…): Citus hands only `set local` on to its workers. A UUID can't carry SQL.
    return f"set local ptolemy.workspace_id = '{caller.workspace_id}'"


@asynccontextmanager
async def _begun(driver: Driver, begin: str) -> AsyncIterator[None]:
    with tracing.span("transaction"):
        await driver.execute(begin)
        try:
            yield
        except BaseException as error:
            if not driver.is_closed():
                await driver.execute("rollback")
            if isinstance(error, asyncpg.DeadlockDetectedError):
                raise Overtaken from error
            if isinstance(error, asyncpg.ForeignKeyViolationError) and _OF_WORKSPACES.search(str(error)):
                raise NotFound("workspace_not_found", "the workspace was removed") from error
            raise
        await driver.execute("commit")


async def _pool(dsn: str, role: str, size: int, files: str) -> asyncpg.Pool:
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        init=lambda driver: _become(driver, role),
        connection_class=_Connection,
        statement_cache_size=1000,
        max_cached_statement_lifetime=0,
        command_timeout=None,
        server_settings=_settings(files),
    )


async def _become(driver: Driver, role: str) -> None:
    if await role_for(driver, role):
        await driver.execute(f"set role {role}")
    await take_instants_literally(driver)


def _settings(files: str) -> dict[str, str]:
    return {
        "application_name": f"{KEEPS_FILES}{files}" if files else "ptolemy",
        "timezone": "UTC",
        "datestyle": "ISO",
        "idle_in_transaction_session_timeout": "0",
        "jit": "off",
        # Citus hands `set local` on to its workers only when told so; without Citus nothing reads it.
        "citus.propagate_set_commands": "local",
    }
