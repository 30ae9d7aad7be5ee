"""The real command, as a process, on a data directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from ptolemy.database.embedded import EmbeddedServer
from tests.cli.command import Served, new_data_dir, serving_process
from tests.house import execute


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
    execute(postgresql.dsn_for("postgres"), f"create database {name}")
    yield postgresql.dsn_for(name)
    execute(postgresql.dsn_for("postgres"), f"drop database {name} with (force)")
