"""Every event arrives, whatever happens to the receiver and to the workers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections import Counter
from hashlib import sha256

import pytest
from standardwebhooks import Webhook

from ptolemy.webhooks.bell import ringing
from tests.docs.pages import ROOT
from tests.webhooks.desk import Desk, come_true, opened
from tests.webhooks.receiver import HANG_UP, Received, Receiver, Reply

KILLS, RESTARTS = 5, 3
PATIENCE = 600
SPEED = 2000
"""Two hours of the schedule pass in less than four seconds."""


class Unreliable:
    """Fails one in three: by a status, by silence, by hanging up; one event at most four times, for ten ends it."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver, self._lock = receiver, threading.Lock()
        self.attempts: Counter[str] = Counter()
        self.failed = 0
        self.taken: dict[str, Received] = {}

    def __call__(self, got: Received) -> Reply | None:
        event_id = got.headers["webhook-id"]
        with self._lock:
            self.attempts[event_id] += 1
            attempt = self.attempts[event_id]
            luck = sha256(f"{event_id}{attempt}".encode()).digest()
            fails = attempt <= 4 and luck[0] < 256 / 3
            self.failed += fails
        if not fails:
            with self._lock:
                self.taken[event_id] = got
            return Reply()
        match luck[1] % 20:
            case 0:
                self._receiver.ended.wait(0.5)  # longer than the worker's patience
                return Reply()
            case 1 | 2 | 3:
                return HANG_UP
            case _:
                return Reply(500 + luck[1] % 4)


@pytest.mark.parametrize("number", [500, pytest.param(10_000, marks=pytest.mark.long)])
async def test_every_event_arrives_at_a_receiver_that_fails_one_in_three_while_workers_are_killed(
    database_url: str, receiver: Receiver, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    unreliable = receiver.answer = Unreliable(receiver)

    async def taken(wanted: float) -> bool | None:
        return len(unreliable.taken) >= wanted or None

    async with opened(database_url) as desk, ringing(desk.database):
        webhook_id, secret = await desk.hook(receiver)
        began, worker = time.monotonic(), start(database_url)
        writing = asyncio.create_task(happening(desk, number))
        try:
            for kill in range(1, KILLS + 1):
                # Spread over the work, in the middle of whatever it does then.
                await come_true(lambda kill=kill: taken(number * kill / (KILLS + 2)), PATIENCE)  # type: ignore[misc]
                worker.kill()
                worker.wait()
                if kill <= RESTARTS:
                    await asyncio.to_thread(receiver.stop)
                    receiver.start()
                worker = start(database_url)
            await writing
            written = time.monotonic()
            await come_true(lambda: taken(number), PATIENCE)
            ended = time.monotonic()
            rows = await desk.settled("delivered", number)
        finally:
            worker.kill()
            worker.wait()
        assert {str(row["event_id"]) for row in rows} == set(unreliable.taken), "every event, and nothing else"
        assert len(rows) == number
        assert (await desk.webhook(webhook_id))["active"]
    for got in unreliable.taken.values():
        Webhook(secret).verify(got.body, dict(got.headers))
        assert got.event["id"] == got.headers["webhook-id"]
    attempts, took = sum(unreliable.attempts.values()), ended - began
    with capsys.disabled():
        sys.stdout.write(
            f"\n{number} events, {attempts} attempts of which {unreliable.failed} failed, {KILLS} workers killed,"
            f" receiver restarted {RESTARTS} times: {took:.1f} s in all, {ended - written:.1f} s behind the last"
            f" commit, {number / took:.0f} deliveries/s\n"
        )


async def happening(desk: Desk, number: int) -> None:
    """Events, in transactions of ten."""
    for _ in range(number // 10):
        await desk.happen(10)


def start(database_url: str) -> subprocess.Popen[bytes]:
    """A worker that is ready."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.webhooks.courier_process", str(SPEED)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(f"{database_url}\n".encode())
    worker.stdin.close()
    assert worker.stdout.readline() == b"ready\n"
    return worker
