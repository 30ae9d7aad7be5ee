"""A worker frozen in the middle of its job, that comes back when another one has done it: it writes nothing more."""

from __future__ import annotations

import random
import signal

import pytest

from tests.faults.files import Sent, good_instruments, mixed_instruments
from tests.faults.ground import Ground, kill
from tests.faults.imports import (
    check_completed,
    check_stored,
    moments,
    pass_a_moment,
    under_way,
    upload,
    wait_until_processed,
)


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_a_frozen_worker_holds_nobody_up_and_writes_nothing_when_it_comes_back(
    ground: Ground, on_error: str, times: int
) -> None:
    sent = good_instruments() if on_error == "abort" else mixed_instruments()
    for rows in moments(times, sent, random.randrange(1000)):
        come_back_late(ground, sent, on_error, rows)


def come_back_late(ground: Ground, sent: Sent, on_error: str, rows: int) -> None:
    workspace, frozen = ground.workspace(), ground.worker()
    job = upload(workspace, sent, on_error)
    wait_until_processed(ground, job, rows)
    pass_a_moment(frozen)
    frozen.send_signal(signal.SIGSTOP)
    assert under_way(ground, job)
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
