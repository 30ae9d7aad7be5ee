"""The real command, as a process, on a data directory of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from ptolemy.database.embedded import EmbeddedServer
from tests.cli.command import Served, new_data_dir, serving_process


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with new_data_dir() as directory:
        yield directory


@pytest.fixture(scope="module")
def served(data_dir: Path) -> Iterator[Served]:
    """`ptolemy serve` on its own embedded database, from its very first start."""
    with serving_process(data_dir) as running:
        yield running


@pytest.fixture
def postgresql_database(postgresql: EmbeddedServer) -> Iterator[str]:
    """An empty database: nothing is migrated."""
    name = f"empty_{uuid4().hex[:12]}"
    asyncio.run(_execute(postgresql, f"create database {name}"))
    yield postgresql.dsn_for(name)
    asyncio.run(_execute(postgresql, f"drop database {name} with (force)"))


async def _execute(server: EmbeddedServer, statement: str) -> None:
    driver = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        await driver.execute(statement)
    finally:
        await driver.close()
