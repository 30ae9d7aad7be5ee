"""A backup whose worker is killed, or freezes, goes on from the file that is there."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.ground import Ground, kill
from tests.product import Workspace, answered, wait_for
from tests.s3 import Bucket, bucket


@pytest.fixture
def s3() -> Iterator[Bucket]:
    # The one that the servers of tests may send backups to.
    with bucket("a-bucket") as made:
        yield made


def stuck(ground: Ground, s3: Bucket) -> tuple[Workspace, subprocess.Popen[str], dict[str, Any]]:
    """A run whose worker, made for it, finds that the bucket takes nothing."""
    workspace = ground.workspace()
    s3.rule = lambda method, path: 503 if method == "PUT" else None
    worker = ground.worker()
    run = requested(workspace, s3)
    wait_for(lambda: True if any(method == "PUT" for method, _ in s3.asked) else None)
    return workspace, worker, run


def requested(workspace: Workspace, s3: Bucket) -> dict[str, Any]:
    workspace.create("instruments", identifier="bhp.ax", name="BHP", type_id="equity")
    policy = {"name": "nightly", "schedule": "0 2 * * *", "destination": s3.url}
    answered(workspace.admin.post("/backup-policies", json=policy), 201)
    return answered(workspace.admin.post("/backups", json={"policy_id": "nightly"}), 202)


def completed_by_another(ground: Ground, s3: Bucket, workspace: Workspace, run: dict[str, Any]) -> dict[str, Any]:
    s3.rule = None
    ground.sight.rows("update jobs set run_at = now() where kind = 'backup'")
    ground.worker()
    ended = workspace.finished("backups", run)
    assert ended["status"] == "completed", ended
    return ended


def events(ground: Ground, run: dict[str, Any]) -> list[str]:
    return ground.sight.column("select event_type from events where resource_id = $1", run["id"])


def own_copies(ground: Ground, run: dict[str, Any]) -> list[Path]:
    return [path for path in ground.files.rglob(f"{run['id']}*") if path.is_file()]


def now(workspace: Workspace, run: dict[str, Any]) -> dict[str, Any]:
    return answered(workspace.robot.get(f"/backups/{run['id']}"), 200)


def test_a_worker_killed_in_an_upload_leaves_the_file_for_the_next_one(ground: Ground, s3: Bucket) -> None:
    workspace, worker, run = stuck(ground, s3)
    kill(worker)
    before = now(workspace, run)
    [copy] = own_copies(ground, run)
    assert (before["status"], before["sha256"]) == ("processing", hashlib.sha256(copy.read_bytes()).hexdigest())
    # What is made anew from now on would hold this too.
    workspace.create("instruments", identifier="cba.ax", name="CBA", type_id="equity")
    ended = completed_by_another(ground, s3, workspace, run)
    assert (ended["sha256"], ended["taken_at"]) == (before["sha256"], before["taken_at"])
    wait_for(lambda: True if not own_copies(ground, run) else None)
    assert events(ground, run) == ["backup.completed"]


def test_a_backup_whose_file_is_lost_on_the_way_is_made_again(ground: Ground, s3: Bucket) -> None:
    workspace, worker, run = stuck(ground, s3)
    kill(worker)
    before = now(workspace, run)
    [copy] = own_copies(ground, run)
    copy.unlink()
    ended = completed_by_another(ground, s3, workspace, run)
    assert ended["taken_at"] > before["taken_at"]


def test_a_frozen_worker_that_comes_back_changes_nothing(ground: Ground, s3: Bucket) -> None:
    workspace, frozen, run = stuck(ground, s3)
    os.kill(frozen.pid, signal.SIGSTOP)
    ended = completed_by_another(ground, s3, workspace, run)
    os.kill(frozen.pid, signal.SIGCONT)
    other = answered(workspace.admin.post("/backups", json={}), 202)
    assert workspace.finished("backups", other)["status"] == "completed"
    assert now(workspace, run) == ended
    assert events(ground, run) == ["backup.completed"]
