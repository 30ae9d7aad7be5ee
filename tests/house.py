"""The PostgreSQL of a test run: one server for all its processes, and databases cut from one migrated template."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg

from ptolemy.database.embedded import EmbeddedServer, start
from ptolemy.database.embedded.locks import alone, opened, taken
from ptolemy.database.embedded.postmaster import postmaster
from ptolemy.database.migrations import migrate
from tests.statements import REMEMBERED, unfit_statements

T = TypeVar("T")

# Data that may vanish with the machine: a test of what must not vanish starts a server of its own.
CARELESS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum_naptime": "1h",
    **REMEMBERED,
}

_TEMPLATE = "template_ptolemy"


@contextmanager
def run_directory() -> Iterator[Path]:
    """Where this run's server lives, removed at the end, together with what killed runs left."""
    folder, runs = quick_folder(), f"ptolemy-tests-{os.geteuid()}"
    with ExitStack() as ends:
        with alone(folder / f"{runs}.lock"):
            for left in folder.glob(f"{runs}-*"):
                with opened(left / "run.lock") as lock:
                    if taken(lock):
                        _remove(left)
            directory = Path(tempfile.mkdtemp(prefix=f"{runs}-", dir=folder))
            assert taken(ends.enter_context(opened(directory / "run.lock")))
        try:
            yield directory
        finally:
            with alone(folder / f"{runs}.lock"):
                _remove(directory)


def quick_folder() -> Path:
    """Memory where it is plenty, for a sync to disk is what a new cluster waits for; else the temporary directory."""
    memory = Path("/dev/shm")
    plenty = memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30
    return memory if plenty else Path(tempfile.gettempdir())


@contextmanager
def run_server(directory: Path) -> Iterator[EmbeddedServer]:
    """The run's server, joined."""
    server = start(directory, settings=CARELESS)
    try:
        yield server
    finally:
        server.release()


@contextmanager
def migrated_database(server: EmbeddedServer, directory: Path) -> Iterator[str]:
    """The address of a new database with the product's schema and nothing else."""
    with alone(directory / "template.lock"):
        finished(_make_template(server))
    name = f"test_{uuid4().hex[:12]}"
    execute(server.dsn_for("postgres"), f"create database {name} template {_TEMPLATE}")
    try:
        yield server.dsn_for(name)
    finally:
        execute(server.dsn_for("postgres"), f"drop database {name} with (force)")


def unfit(directory: Path) -> list[str]:
    """What the run's statements have that a distributed database hasn't; nothing where no test used the server."""
    if not (directory / "postgres").exists():
        return []
    with run_server(directory) as server:
        return unfit_statements(server, _TEMPLATE) if finished(_has_template(server)) else []


def finished(work: Coroutine[Any, Any, T]) -> T:
    """Its result, also where a loop already runs: in a thread with a loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def execute(dsn: str, *statements: str) -> None:
    """Runs statements as the superuser, each in a transaction of its own."""

    async def work() -> None:
        driver = await asyncpg.connect(dsn)
        try:
            for statement in statements:
                await driver.execute(statement)
        finally:
            await driver.close()

    finished(work())


async def _make_template(server: EmbeddedServer) -> None:
    driver = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        if await driver.fetchval("select true from pg_database where datname = $1", _TEMPLATE):
            return
        # Renamed when it is whole: a process may be killed as it migrates.
        await driver.execute("drop database if exists half_a_template")
        await driver.execute("create database half_a_template")
        await migrate(server.dsn_for("half_a_template"))
        await driver.execute(f"alter database half_a_template rename to {_TEMPLATE}")
    finally:
        await driver.close()


async def _has_template(server: EmbeddedServer) -> bool:
    driver = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        return bool(await driver.fetchval("select true from pg_database where datname = $1", _TEMPLATE))
    finally:
        await driver.close()


def _remove(directory: Path) -> None:
    if postmaster(directory / "postgres"):
        start(directory).release()
    shutil.rmtree(directory)
