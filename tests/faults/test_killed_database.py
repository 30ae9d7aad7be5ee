"""PostgreSQL killed with SIGKILL, all its processes at once, in the middle of an import."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.files import good_instruments, mixed_instruments
from tests.faults.ground import Ground, without_worker
from tests.faults.imports import check_completed, check_half_way, moments, under_way, upload, wait_until_processed
from tests.faults.power import Power, powered

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def power() -> Iterator[Power]:
    with powered() as power:
        yield power


@pytest.fixture
def ground(power: Power, tmp_path: Path) -> Iterator[Ground]:
    with without_worker(power.server.dsn, tmp_path / "files", tmp_path) as ground:
        yield ground


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
