"""Workers killed with SIGKILL in the middle of their job: nothing half done, nothing twice, nothing lost."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.faults.files import MANY_VALUES, Sent, good_instruments, mixed_instruments, plain_instruments, values
from tests.faults.ground import Ground, kill
from tests.faults.imports import (
    check_completed,
    check_half_way,
    check_stored,
    endings,
    exported,
    kill_workers,
    moments,
    refused,
    under_way,
    upload,
    wait_until_processed,
)
from tests.product import Workspace, answered, wait_for

_KILLS = 5
_EXPORT_SECONDS = 0.4


@pytest.mark.parametrize(("on_error", "file"), [("abort", good_instruments), ("continue", mixed_instruments)])
def test_an_import_survives_five_killed_workers(ground: Ground, on_error: str, file: Callable[[], Sent]) -> None:
    survive(ground, file(), on_error, random.randrange(1000))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("on_error", "file"), [("abort", good_instruments), ("continue", mixed_instruments)])
def test_imports_survive_killed_workers_again_and_again(
    ground: Ground, on_error: str, file: Callable[[], Sent], seed: int
) -> None:
    survive(ground, file(), on_error, seed)


@pytest.mark.long
@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_an_import_of_values_survives_killed_workers(ground: Ground, on_error: str) -> None:
    survive(ground, values(20, MANY_VALUES, mixed=on_error == "continue"), on_error, random.randrange(1000))


def survive(ground: Ground, sent: Sent, on_error: str, seed: int) -> None:
    disturbed, undisturbed = ground.workspace(), ground.workspace()
    ground.worker()
    if sent.resource_type != "instruments":
        for workspace in (disturbed, undisturbed):
            workspace.import_file("instruments", plain_instruments(20).content)
    check_completed(ground, undisturbed, upload(undisturbed, sent, on_error), sent)
    ground.end_workers()
    job = upload(disturbed, sent, on_error)
    kill_workers(ground, job, list(moments(_KILLS, sent, seed)))
    check_completed(ground, disturbed, job, sent)
    assert exported(disturbed, sent.resource_type) == exported(undisturbed, sent.resource_type)


def test_a_batch_whose_worker_is_killed_as_it_commits_is_not_lost(ground: Ground) -> None:
    sent, workspace = mixed_instruments(), ground.workspace()
    worker, job = ground.worker(), upload(workspace, sent, "continue")
    wait_until_processed(ground, job, sent.rows // 3)
    ground.sight.rows("begin")
    ground.sight.rows("select id from jobs where id = $1 for update", UUID(job["id"]))
    # The last statement of a batch asks for the job's row.
    waiting = "select true from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"
    wait_for(lambda: ground.sight.value(waiting))
    kill(worker)
    ground.sight.rows("rollback")
    check_half_way(ground, job)
    ground.worker()
    check_completed(ground, workspace, job, sent)


def test_an_aborted_import_of_killed_workers_leaves_nothing_and_names_each_bad_row_once(ground: Ground) -> None:
    sent, workspace = mixed_instruments(), ground.workspace()
    job = upload(workspace, sent, "abort")
    kill_workers(ground, job, list(moments(2, sent, random.randrange(1000))))
    ended = workspace.finished("imports", job)
    assert (ended["status"], ended["rows_imported"], ended["rows_failed"]) == ("failed", 0, len(sent.errors))
    assert refused(ground, job) == list(sent.errors)
    assert endings(ground, job) == ["import.failed"]
    check_stored(ground, workspace, "instruments", 0)
    assert exported(workspace, "instruments") == []


def test_an_import_that_has_killed_twenty_workers_is_given_up(ground: Ground) -> None:
    workspace = ground.workspace()
    job = upload(workspace, good_instruments(), "continue")
    ground.sight.rows("update jobs set attempts = 20 where id = $1", UUID(job["id"]))
    ground.worker()
    ended = workspace.finished("imports", job)
    assert (ended["status"], ended["rows_imported"]) == ("failed", 0)
    assert "worker died" in ended["error"]
    assert endings(ground, job) == ["import.failed"]
    wait_for(lambda: True if not ground.uploads() and not under_way(ground, job) else None)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
def test_an_export_survives_killed_workers(ground: Ground, kills: int) -> None:
    workspace = ground.workspace()
    ground.worker()
    workspace.import_file("instruments", good_instruments().content)
    whole = workspace.export("instruments")
    ground.end_workers()
    struck = 0
    while struck < kills:
        job = asked_for(workspace)
        for _ in range(min(_KILLS, kills - struck)):
            if not kill_exporter(ground, job):
                break
            struck += 1
        check_exported(ground, workspace, job, whole)


def asked_for(workspace: Workspace) -> dict[str, Any]:
    asked = {"resource_type": "instruments", "include_archived": True}
    return answered(workspace.robot.post("/exports", json=asked), 202)


def kill_exporter(ground: Ground, job: dict[str, Any]) -> bool:
    """At any moment of its work; False where it was done already."""
    worker = ground.worker()
    leased = "select true from jobs where id = $1 and lease_until > now()"
    wait_for(lambda: ground.sight.value(leased, UUID(job["id"])))
    with suppress(subprocess.TimeoutExpired):
        worker.wait(random.random() * _EXPORT_SECONDS)
    kill(worker)
    return under_way(ground, job)


def check_exported(ground: Ground, workspace: Workspace, job: dict[str, Any], whole: bytes) -> None:
    """The export ends with its file whole, and says so once."""
    worker = ground.worker()
    ended = workspace.finished("exports", job)
    kill(worker)
    assert (ended["status"], ended["file_size"]) == ("completed", len(whole)), ended
    assert httpx.get(ended["download_url"]).content == whole
    assert endings(ground, job) == ["export.completed"]
