"""What a handler may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.jobs import queue
from ptolemy.jobs.job import Interrupted, Job
from ptolemy.jobs.runner import JobPace, Runner
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import BadRequest
from tests.jobs.conftest import Server
from tests.jobs.facts import fact

PACE = JobPace(lease_seconds=2, heartbeat_seconds=0.2, poll_seconds=0.2, retry_seconds=0.02, max_failures=3)
# Too slow for any test: whatever happens was not found by looking at the queue now and then.
NOTIFIED = replace(PACE, poll_seconds=60, heartbeat_seconds=60, lease_seconds=180)


class Doing:
    """Does as the test says, and keeps what it saw."""

    def __init__(self, run: Callable[[Job], Awaitable[None]]) -> None:
        self._run = run
        self.ran: list[Job] = []
        self.given_up: list[str] = []

    async def run(self, job: Job) -> None:
        self.ran.append(job)
        await self._run(job)

    async def gave_up(self, job: Job, reason: str) -> None:
        self.given_up.append(reason)


async def test_a_job_starts_when_its_transaction_commits_without_waiting_for_the_poll(
    database: Database, workspace_id: UUID
) -> None:
    began = asyncio.Event()
    async with working(database, Doing(setting(began)), pace=NOTIFIED):
        await listening(database)
        await enqueue(database, workspace_id)
        await within(began.wait())
        await empty(database)


async def test_two_workers_share_the_work_and_do_each_job_once(database: Database, workspace_id: UUID) -> None:
    both = asyncio.Barrier(4)

    async def together(_: Job) -> None:
        await both.wait()  # ends only when both workers have both their hands full

    one, two = Doing(together), Doing(together)
    job_ids = [await enqueue(database, workspace_id) for _ in range(8)]
    async with working(database, one), working(database, two):
        await empty(database)
    assert sorted(job.id for job in one.ran + two.ran) == sorted(job_ids)
    assert len(one.ran) == len(two.ran) == 4


async def test_a_job_that_fails_is_tried_again(database: Database, workspace_id: UUID) -> None:
    async def once(job: Job) -> None:
        if job.attempts == 1:
            raise RuntimeError("the first time")

    doing = Doing(once)
    async with working(database, doing):
        await enqueue(database, workspace_id)
        await empty(database)
    assert [job.attempts for job in doing.ran] == [1, 2]
    assert doing.given_up == []


async def test_a_job_that_fails_again_and_again_is_given_up_with_its_reason(
    database: Database, workspace_id: UUID
) -> None:
    async def always(_: Job) -> None:
        raise RuntimeError("no luck")

    doing = Doing(always)
    async with working(database, doing):
        await enqueue(database, workspace_id)
        await empty(database)
    assert len(doing.ran) == 3
    assert doing.given_up == ["RuntimeError: no luck"]


async def test_a_problem_is_given_up_at_once(database: Database, workspace_id: UUID) -> None:
    async def refuse(_: Job) -> None:
        raise BadRequest("unknown_column", "there is no column lot_sise")

    doing = Doing(refuse)
    async with working(database, doing):
        await enqueue(database, workspace_id)
        await empty(database)
    assert len(doing.ran) == 1
    assert doing.given_up == ["there is no column lot_sise"]


async def test_a_job_that_always_kills_its_worker_is_given_up(database: Database, workspace_id: UUID) -> None:
    job_id = await enqueue(database, workspace_id)
    async with database.session() as session:
        await session.run(Sql.of("update jobs set attempts = 20 where id = ?", job_id))
    doing = Doing(nothing)
    async with working(database, doing):
        await empty(database)
    assert (len(doing.ran), len(doing.given_up)) == (0, 1)


async def test_a_running_job_learns_that_it_is_cancelled_without_waiting_for_the_heartbeat(
    database: Database, workspace_id: UUID
) -> None:
    began = asyncio.Event()

    async def until_cancelled(job: Job) -> None:
        began.set()
        while not job.cancelled():  # noqa: ASYNC110 - as handlers do between batches
            await asyncio.sleep(0.01)

    async with working(database, Doing(until_cancelled), pace=NOTIFIED):
        await listening(database)
        job_id = await enqueue(database, workspace_id)
        await within(began.wait())
        async with database.session() as session:
            assert await queue.cancel(session, workspace_id, job_id) == "requested"
        await empty(database)


async def test_a_long_job_keeps_its_lease(database: Database, workspace_id: UUID) -> None:
    async def until_renewed(job: Job) -> None:
        later = "select lease_until > created_at + interval '2.5 s' from jobs where id = ?"
        await fact(database, later, job.id)

    doing = Doing(until_renewed)
    async with working(database, doing):
        await enqueue(database, workspace_id)
        await empty(database)
    assert len(doing.ran) == 1


async def test_a_job_whose_row_is_taken_away_is_stopped(database: Database, workspace_id: UUID) -> None:
    stopped = asyncio.Event()

    async def forever(_: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    doing = Doing(forever)
    async with working(database, doing):
        job_id = await enqueue(database, workspace_id)
        await fact(database, "select 1 from jobs where lease_token is not null")
        async with database.session() as session:
            await session.run(Sql.of("delete from jobs where id = ?", job_id))
        await within(stopped.wait())


async def test_a_worker_that_stops_gives_its_job_to_another_at_once(database: Database, workspace_id: UUID) -> None:
    began, done = asyncio.Event(), asyncio.Event()

    async def batch_after_batch(job: Job) -> None:
        began.set()
        await job.stopping.wait()
        raise Interrupted

    other = Doing(setting(done))
    async with AsyncExitStack() as first:
        await first.enter_async_context(working(database, Doing(batch_after_batch), pace=NOTIFIED))
        await enqueue(database, workspace_id)
        await within(began.wait())
        async with working(database, other, pace=NOTIFIED):
            await listening(database, workers=2)
            await first.aclose()
            await within(done.wait())
            await empty(database)
    assert [job.attempts for job in other.ran] == [1]


async def test_a_handler_that_does_not_end_is_stopped_after_the_grace(database: Database, workspace_id: UUID) -> None:
    began = asyncio.Event()

    async def forever(_: Job) -> None:
        began.set()
        await asyncio.Event().wait()

    async with working(database, Doing(forever), pace=replace(NOTIFIED, grace_seconds=0.1)):
        await enqueue(database, workspace_id)
        await within(began.wait())
    await fact(database, "select lease_token is null from jobs")


async def test_the_worker_goes_on_after_postgresql_was_restarted(
    database: Database, workspace_id: UUID, server: Server
) -> None:
    doing = Doing(nothing)
    # Nothing but a notification over a new connection can wake this one in time.
    async with working(database, doing, pace=NOTIFIED):
        await listening(database)
        server.stop()
        server.start()
        await listening(database)
        await enqueue(database, workspace_id)
        await empty(database)
    assert len(doing.ran) == 1


@asynccontextmanager
async def working(database: Database, handler: Doing, *, pace: JobPace = PACE) -> AsyncIterator[None]:
    runner = Runner(database, {"do": handler}, pace=pace)
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        await within(task)


def setting(event: asyncio.Event) -> Callable[[Job], Awaitable[None]]:
    async def run(_: Job) -> None:
        event.set()

    return run


async def nothing(_: Job) -> None:
    return


async def enqueue(database: Database, workspace_id: UUID) -> UUID:
    job_id = uuid7()
    async with database.session() as session:
        await queue.enqueue(session, "do", job_id, workspace_id)
    return job_id


async def empty(database: Database) -> None:
    await fact(database, "select not exists (select 1 from jobs)")


_LISTENING = "select count(*) from pg_stat_activity where datname = current_database() and query like 'LISTEN%'"


async def listening(database: Database, *, workers: int = 1) -> None:
    driver = await asyncpg.connect(database.dsn)
    try:
        async with asyncio.timeout(20):
            while await driver.fetchval(_LISTENING) != workers:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
    finally:
        await driver.close()


async def within(awaitable: Awaitable[Any]) -> None:
    await asyncio.wait_for(awaitable, 20)
