"""The embedded PostgreSQL of `ptolemy serve` killed with SIGKILL: the server brings it back by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from ptolemy.database.embedded.postmaster import postmaster
from tests.cli.command import new_data_dir, serving_process
from tests.database.clusters import children, kill, living
from tests.faults.files import mixed_instruments
from tests.faults.ground import of_serve
from tests.faults.imports import check_completed, check_half_way, under_way, upload, wait_until_processed
from tests.faults.meanwhile import asked_meanwhile, check_told_to_come_back
from tests.product import answered, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def ready(url: str) -> bool | None:
    return httpx.get(f"{url}/readyz").status_code == 200 or None


def test_a_server_brings_its_database_back_and_a_job_under_way_is_done_once(tmp_path: Path) -> None:
    sent = mixed_instruments()
    with new_data_dir() as data_dir, serving_process(data_dir) as served:
        with of_serve(served.url, data_dir, tmp_path) as ground:
            workspace = ground.workspace()
            job = upload(workspace, sent, "continue")
            wait_until_processed(ground, job, sent.rows // 3)
            dead = living(data_dir).pid
            kill(dead, *children(dead))
            check_told_to_come_back(asked_meanwhile(workspace))
            wait_for(lambda: ready(served.url))
            assert living(data_dir).pid != dead
            assert under_way(ground, job)
            check_half_way(ground, job)
            # The lease ends in twenty seconds: let them pass.
            ground.sight.rows("update jobs set lease_until = now() where lease_until is not null")
            check_completed(ground, workspace, job, sent)
            answered(workspace.admin.post("/instrument-types", json={"identifier": "m", "name": "M"}), 201)
        assert served.stop() == 0
        assert postmaster(data_dir / "postgres") is None
        log = (data_dir / "log").read_text()
    assert '"event":"database_died"' in log
    assert '"event":"database_revived"' in log
    assert "Traceback" not in log


def test_a_server_tries_again_until_its_database_starts(tmp_path: Path) -> None:
    with new_data_dir() as data_dir, serving_process(data_dir) as served:
        password = data_dir / "password"
        hidden = password.rename(data_dir / "hidden")
        dead = living(data_dir).pid
        kill(dead, *children(dead))
        wait_for(lambda: "database_not_revived" in (data_dir / "log").read_text() or None)
        assert httpx.get(f"{served.url}/readyz").status_code == 503
        hidden.rename(password)
        wait_for(lambda: ready(served.url))
        log = (data_dir / "log").read_text()
        assert "password is missing" in log
        assert log.count('"event":"database_died"') == 1
