"""Imports that their user ends: of an `abort` import nothing stays, of a `continue` import whole batches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.files import ROWS, good_instruments
from tests.faults.ground import Ground, kill
from tests.faults.imports import check_stored, endings, under_way, upload, wait_until_processed
from tests.product import Workspace, answered, wait_for


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_a_cancelled_import_says_what_it_leaves(ground: Ground, on_error: str) -> None:
    workspace = ground.workspace()
    ground.worker()
    job = upload(workspace, good_instruments(), on_error)
    wait_until_processed(ground, job, 1000)
    answered(workspace.robot.post(f"/imports/{job['id']}/cancel"), 200)
    kept = check_cancelled(ground, workspace, job)
    assert kept == 0 if on_error == "abort" else 1000 <= kept < ROWS
    # Where the file is closed before its reader has let go of it, the log tells.
    assert "never retrieved" not in (ground.scratch / "log").read_text()


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_an_import_whose_worker_died_is_cancelled_at_once(ground: Ground, on_error: str) -> None:
    workspace, worker = ground.workspace(), ground.worker()
    job = upload(workspace, good_instruments(), on_error)
    wait_until_processed(ground, job, 1000)
    kill(worker)
    leased = "select true from jobs where id = $1 and lease_until < clock_timestamp()"
    wait_for(lambda: ground.sight.value(leased, job["id"]))
    answered(workspace.robot.post(f"/imports/{job['id']}/cancel"), 200)
    kept = check_cancelled(ground, workspace, job)
    assert kept == 0 if on_error == "abort" else 1000 <= kept < ROWS


def test_an_import_that_waits_is_cancelled_at_once(ground: Ground) -> None:
    workspace = ground.workspace()
    job = upload(workspace, good_instruments(), "abort")
    answered(workspace.robot.post(f"/imports/{job['id']}/cancel"), 200)
    assert check_cancelled(ground, workspace, job) == 0


def check_cancelled(ground: Ground, workspace: Workspace, job: dict[str, Any]) -> int:
    """How many rows stay: those that the import says, and nothing else."""
    ended = workspace.finished("imports", job)
    assert ended["status"] == "cancelled"
    assert endings(ground, job) == ["import.cancelled"]
    check_stored(ground, workspace, "instruments", ended["rows_imported"])
    wait_for(lambda: True if not ground.uploads() else None)
    assert not under_way(ground, job)
    return int(ended["rows_imported"])


def test_a_file_that_is_being_imported_gets_a_warning(ground: Ground) -> None:
    workspace, sent = ground.workspace(), good_instruments(10)
    first = upload(workspace, sent, "abort")
    assert "warnings" not in first
    [warning] = upload(workspace, sent, "continue")["warnings"]
    assert first["id"] in warning
    assert "warnings" not in upload(workspace, good_instruments(11), "abort")
    ground.worker()
    workspace.finished("imports", first)
