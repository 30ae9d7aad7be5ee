"""Workers that are killed, frozen and many."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.jobs import queue
from ptolemy.kernel.identifiers import uuid7
from tests.jobs.facts import fact

Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start(url: str) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("work.py")
        process = subprocess.Popen([sys.executable, script, url, name], stdout=subprocess.DEVNULL)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


async def test_a_killed_workers_job_is_taken_up_by_another(
    database: Database, workspace_id: UUID, start: Start
) -> None:
    killed = start("killed")
    await enqueue(database, workspace_id)
    await fact(database, "select 1 from written where worker = 'killed' and what = 'began 1'")
    start("other")
    await fact(database, "select 1 from written where worker = 'other' and what = 'tick'")
    killed.kill()
    await fact(database, "select 1 from written where worker = 'other' and what = 'began 2'")
    await open_to(database, "other")
    await fact(database, "select 1 from written where worker = 'other' and what = 'kept'")
    await fact(database, "select not exists (select 1 from jobs where kind = 'write')")


async def test_a_frozen_worker_that_comes_back_writes_nothing(
    database: Database, workspace_id: UUID, start: Start
) -> None:
    frozen = start("frozen")
    await enqueue(database, workspace_id)
    await fact(database, "select 1 from written where worker = 'frozen' and what = 'began 1'")
    frozen.send_signal(signal.SIGSTOP)
    start("other")
    await fact(database, "select 1 from written where worker = 'other' and what = 'began 2'")
    await open_to(database, "frozen")
    frozen.send_signal(signal.SIGCONT)
    await fact(database, "select 1 from written where worker = 'frozen' and what = 'lost'")
    await open_to(database, "other")
    await fact(database, "select not exists (select 1 from jobs where kind = 'write')")
    async with database.session() as session:
        kept = await session.rows(Sql.of("select worker from written where what = 'kept'"))
        assert [row["worker"] for row in kept] == ["other"]


async def test_a_schedule_runs_once_whatever_the_number_of_workers(
    database: Database, workspace_id: UUID, start: Start
) -> None:
    for name in ("one", "two", "three"):
        start(name)
    await fact(database, "select count(*) >= 5 from written where what = 'tick'")
    async with database.session() as session:
        shortest = await session.value(
            Sql.of("select min(gap) from (select at - lag(at) over (order by at) as gap from written) as gaps")
        )
        assert shortest > timedelta(seconds=0.2)
        assert await session.value(Sql.of("select count(*) from jobs")) == 1


async def enqueue(database: Database, workspace_id: UUID) -> UUID:
    job_id = uuid7()
    async with database.session() as session:
        await queue.enqueue(session, "write", job_id, workspace_id)
    return job_id


async def open_to(database: Database, worker: str) -> None:
    async with database.session() as session:
        await session.run(Sql.of("insert into written (worker, what) values (?, 'open')", worker))
