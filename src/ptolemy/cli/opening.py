"""The database that a command works on: the one you named, or the embedded one, joined while a server runs."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from ptolemy.database.embedded import EmbeddedProblem, EmbeddedServer, start
from ptolemy.database.migrations import migrate, pending
from ptolemy.database.pool import Database
from ptolemy.files.store import FileStore
from ptolemy.settings import Settings, SettingsProblem


@asynccontextmanager
async def database_dsn(settings: Settings, *, kept_alive: bool = False) -> AsyncIterator[str]:
    """The address of the database, made where there is none.

    The embedded server is left at the end, and stops when nobody else is in it. `kept_alive` is for who needs it for
    as long as they run: where it dies meanwhile, it is started again.
    """
    if settings.database_url:
        yield settings.database_url.get_secret_value()
        return
    server = await _started(settings)
    try:
        if kept_alive:
            server.keep_alive()
        yield server.dsn
    finally:
        await asyncio.to_thread(server.release)


@asynccontextmanager
async def existing_database_dsn(settings: Settings, *, kept_alive: bool = False) -> AsyncIterator[str]:
    """The address of a database that is there: a mistyped data directory is refused, not filled."""
    if has_no_database(settings):
        serve = shlex.join(["ptolemy", "serve", "--data-dir", str(settings.data_dir)])
        raise EmbeddedProblem(
            f"there is no Ptolemy in {settings.data_dir}: start `{serve}` first, or check --data-dir"
            " (PTOLEMY_DATA_DIR) and PTOLEMY_DATABASE_URL"
        )
    async with database_dsn(settings, kept_alive=kept_alive) as dsn:
        yield dsn


def has_no_database(settings: Settings) -> bool:
    """Whether an embedded database would have to be made; it appears in its directory whole or not at all."""
    return not settings.database_url and not (settings.data_dir / "postgres").exists()


@asynccontextmanager
async def open_database(
    settings: Settings, *, files: FileStore | None = None, kept_alive: bool = False
) -> AsyncIterator[Database]:
    """The database with its schema; it must be there, and one of yours is not migrated behind your back.

    `files` is the file store of a process that keeps files.
    """
    async with existing_database_dsn(settings, kept_alive=kept_alive) as dsn:
        if settings.database_url:
            await _refuse_pending(dsn)
        else:
            await migrate(dsn)
        database = await Database.open(dsn, files=await files.identity() if files else "")
        try:
            yield database
        finally:
            await database.close()


async def _started(settings: Settings) -> EmbeddedServer:
    starting = asyncio.ensure_future(asyncio.to_thread(start, settings.data_dir))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Told to stop while it starts: a thread can't be stopped, and its server must not stay behind.
        server = await starting
        await asyncio.to_thread(server.release)
        raise


async def _refuse_pending(dsn: str) -> None:
    driver = await asyncpg.connect(dsn)
    try:
        missing = await pending(driver)
    finally:
        await driver.close()
    if missing:
        raise SettingsProblem(f"the database lacks {len(missing)} migrations: run `ptolemy migrate` first")
