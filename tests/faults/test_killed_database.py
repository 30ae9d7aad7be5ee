"""PostgreSQL killed with SIGKILL, all its processes at once, in the middle of an import."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ptolemy.database.embedded import EmbeddedServer, start
from ptolemy.database.migrations import migrate
from tests import house
from tests.database.clusters import children, kill, living, new_directory
from tests.faults.files import good_instruments, mixed_instruments
from tests.faults.ground import Ground, seeing
from tests.faults.imports import check_completed, check_half_way, moments, under_way, upload, wait_until_processed
from tests.serving import configured, serving, signed_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@dataclass
class Power:
    """A server of the test's own, to cut off from its power."""

    directory: Path
    server: EmbeddedServer

    def fail(self) -> None:
        server = living(self.directory).pid
        kill(server, *children(server))

    def come_back(self) -> None:
        # As a member of its own: the one from before counts as long as this process lives.
        again = start(self.directory)
        self.server.release()
        self.server = again


@pytest.fixture
def power() -> Iterator[Power]:
    with new_directory() as directory:
        power = Power(directory, start(directory))
        yield power
        power.server.release()


@pytest.fixture
def ground(power: Power, tmp_path: Path) -> Iterator[Ground]:
    dsn = power.server.dsn
    house.finished(migrate(dsn))
    with serving(replace(configured(dsn, tmp_path / "files"), jobs_at_once=0)) as url, seeing(dsn) as sight:
        ground = Ground(dsn, url, tmp_path / "files", tmp_path, signed_in(url, dsn), sight)
        yield ground
        ground.end_workers()


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("on_error", ["continue", pytest.param("abort", marks=pytest.mark.long)])
def test_an_import_survives_the_death_of_its_database(ground: Ground, power: Power, on_error: str, kills: int) -> None:
    sent = mixed_instruments() if on_error == "continue" else good_instruments()
    workspace = ground.workspace()
    ground.worker()
    job = upload(workspace, sent, on_error)
    for attempt, rows in enumerate(moments(kills, sent, random.randrange(1000)), start=1):
        wait_until_processed(ground, job, rows, attempt)
        power.fail()
        power.come_back()
        assert under_way(ground, job)
        check_half_way(ground, job)
    check_completed(ground, workspace, job, sent)
