"""A database without room: a clear problem for requests and for jobs, and all is well once there is some."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.arenas import small_file_system
from tests.faults.files import good_instruments
from tests.faults.ground import Ground, without_worker
from tests.faults.imports import check_completed, check_stored, endings, upload
from tests.faults.power import Power, powered
from tests.product import Workspace, answered, problem


@pytest.fixture
def power() -> Iterator[Power]:
    with powered() as power:
        yield power


@pytest.fixture
def small(power: Power) -> Iterator[Path]:
    """A file system of 8 MB that the database's account may write to."""
    with small_file_system(power.directory, megabytes=8) as small:
        owner = (power.directory / "postgres").stat()
        shutil.chown(small, owner.st_uid, owner.st_gid)
        yield small


@pytest.fixture
def ground(power: Power, small: Path, tmp_path: Path) -> Iterator[Ground]:
    """Instruments are kept in the small file system."""
    with without_worker(power.server.dsn, tmp_path / "files", tmp_path) as ground:
        ground.sight.rows(f"create tablespace small location '{small}'")
        ground.sight.rows("alter table instruments set tablespace small")
        yield ground
        ground.end_workers()
        ground.sight.rows("alter table instruments set tablespace pg_default")
        ground.sight.rows("drop tablespace small")


def test_what_the_database_has_no_room_for_is_refused_and_a_job_fails_in_words(ground: Ground, small: Path) -> None:
    workspace, sent = ground.workspace(), good_instruments()
    filler = small / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))
    refused = problem(_made(workspace), 507, "database_full")
    assert "no room" in refused["detail"]
    assert answered(workspace.admin.get("/instruments"), 200)["data"] == []
    ground.worker()
    job = upload(workspace, sent, "abort")
    ended = workspace.finished("imports", job)
    assert (ended["status"], ended["rows_imported"]) == ("failed", 0)
    assert ended["error"] == "the database has no room on its disk: free some space there and try again"
    assert endings(ground, job) == ["import.failed"]
    check_stored(ground, workspace, "instruments", 0)
    filler.unlink()
    check_completed(ground, workspace, upload(workspace, sent, "abort"), sent)


def _made(workspace: Workspace) -> httpx.Response:
    return workspace.admin.post("/instruments", json={"identifier": "one", "name": "One", "type_id": "equity"})
