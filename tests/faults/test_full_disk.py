"""A file store without room: a clear problem, and nothing left of what was refused."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.files import Sent, good_instruments
from tests.faults.ground import Ground, seeing
from tests.faults.imports import check_completed, upload
from tests.product import problem
from tests.serving import configured, serving, signed_in

_TOO_LARGE = Sent("instruments", b"identifier,name,type_id\n" + b"a,a,equity\n" * 300_000, 300_000)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system can't be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def cramped(small: Path, database_url: str, tmp_path: Path) -> Iterator[Ground]:
    """A product whose file store is the small file system."""
    without_worker = replace(configured(database_url, small), jobs_at_once=0)
    with serving(without_worker) as url, seeing(database_url) as sight:
        ground = Ground(database_url, url, small, tmp_path, signed_in(url, database_url), sight)
        yield ground
        ground.end_workers()


def test_an_upload_that_has_no_room_is_refused_and_leaves_nothing(cramped: Ground) -> None:
    workspace = cramped.workspace()
    files, asked = {"file": _TOO_LARGE.content}, {"resource_type": "instruments"}
    problem(workspace.robot.post("/imports", files=files, data=asked), 507, "storage_full")
    assert cramped.uploads() == []
    assert workspace.robot.get("/imports").json()["data"] == []
    sent = good_instruments(10)
    job = upload(workspace, sent, "abort")
    cramped.worker()
    check_completed(cramped, workspace, job, sent)


def test_an_upload_that_has_no_room_on_its_way_is_refused(
    ground: Ground, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = ground.workspace()
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    files, asked = {"file": _TOO_LARGE.content}, {"resource_type": "instruments"}
    problem(workspace.robot.post("/imports", files=files, data=asked), 507, "storage_full")
    assert ground.uploads() == []


def test_an_export_that_has_no_room_fails_and_leaves_nothing(cramped: Ground) -> None:
    workspace = cramped.workspace()
    job = upload(workspace, good_instruments(), "abort")
    cramped.worker()
    check_completed(cramped, workspace, job, good_instruments())
    (cramped.files / "filler").write_bytes(bytes(1_500_000))
    asked = {"resource_type": "instruments", "include_archived": True}
    ended = workspace.finished("exports", workspace.robot.post("/exports", json=asked).json())
    assert (ended["status"], ended["file_size"]) == ("failed", None)
    assert "no room" in ended["error"]
    assert [path.name for path in cramped.files.rglob("*") if path.is_file()] == ["filler", ".identity"]
