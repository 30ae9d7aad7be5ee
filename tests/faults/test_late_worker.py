"""A worker frozen in the middle of its job, that comes back when another one has done it: it writes nothing more."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.faults.files import Sent, good_instruments, mixed_instruments
from tests.faults.ground import Ground, kill
from tests.faults.imports import (
    check_completed,
    check_stored,
    endings,
    moments,
    pass_a_moment,
    under_way,
    upload,
    wait_until_processed,
)
from tests.product import Workspace, answered, wait_for


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_a_worker_frozen_in_a_transaction_holds_nobody_up(ground: Ground, on_error: str, times: int) -> None:
    sent = good_instruments() if on_error == "abort" else mixed_instruments()
    for rows in moments(times, sent, random.randrange(1000)):
        come_back_late(ground, sent, on_error, rows, in_transaction=True)


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])
def test_a_worker_frozen_between_two_batches_writes_nothing_when_it_comes_back(ground: Ground, times: int) -> None:
    sent = mixed_instruments()
    for rows in moments(times, sent, random.randrange(1000)):
        come_back_late(ground, sent, "continue", rows, in_transaction=False)


def come_back_late(ground: Ground, sent: Sent, on_error: str, rows: int, *, in_transaction: bool) -> None:
    # Without a heartbeat: what it may write when it comes back is a matter of its fence alone.
    frozen = ground.worker(heartbeat_seconds=3600)
    workspace = ground.workspace()
    job = upload(workspace, sent, on_error)
    wait_until_processed(ground, job, rows)
    while not freeze(ground, frozen, job, in_transaction=in_transaction):
        workspace = ground.workspace()
        job = upload(workspace, sent, on_error)
        wait_until_processed(ground, job, rows)
    other = ground.worker()
    check_completed(ground, workspace, job, sent)
    kill(other)
    frozen.send_signal(signal.SIGCONT)
    # It does one job at a time, so it has left the first one when it ends another.
    another = ground.workspace()
    another.import_file("instruments", good_instruments(10).content)
    check_completed(ground, workspace, job, sent)
    check_stored(ground, another, "instruments", 10)
    kill(frozen)


def freeze(ground: Ground, worker: subprocess.Popen[str], job: dict[str, Any], *, in_transaction: bool) -> bool:
    """In a transaction, for which others may have to wait, or between two; False where the import ended before."""
    opened = (
        "select exists (select from pg_stat_activity"
        "  where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null)"
    )
    # Without a pause: the time between two transactions is short.
    while under_way(ground, job):
        worker.send_signal(signal.SIGSTOP)
        if ground.sight.value(opened) == in_transaction and under_way(ground, job):
            return True
        worker.send_signal(signal.SIGCONT)
    return False


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.long)])
def test_a_frozen_exporter_changes_nothing_of_the_file_when_it_comes_back(ground: Ground, times: int) -> None:
    workspace = ground.workspace()
    first = ground.worker()
    workspace.import_file("instruments", good_instruments().content)
    kill(first)
    for number in range(times):
        export_late(ground, workspace, f"late{number}")


def export_late(ground: Ground, workspace: Workspace, created_meanwhile: str) -> None:
    asked = {"resource_type": "instruments", "include_archived": True}
    frozen, job = ground.worker(), answered(workspace.robot.post("/exports", json=asked), 202)
    claimed = "select true from jobs where id = $1 and attempts = 1"
    wait_for(lambda: ground.sight.value(claimed, UUID(job["id"])))
    pass_a_moment(frozen)
    frozen.send_signal(signal.SIGSTOP)
    assert under_way(ground, job)
    # What the late worker reads is not what the other one will read.
    workspace.create("instruments", identifier=created_meanwhile, name="New", type_id="equity")
    other = ground.worker()
    ended = workspace.finished("exports", job)
    kill(other)
    frozen.send_signal(signal.SIGCONT)
    workspace.export("time_series_values")
    content = httpx.get(workspace.finished("exports", job)["download_url"]).content
    assert hashlib.sha256(content).hexdigest() == ended["sha256"]
    assert created_meanwhile.encode() in content
    assert endings(ground, job) == ["export.completed"]
    kill(frozen)
