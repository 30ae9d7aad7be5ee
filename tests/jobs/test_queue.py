"""What the queue promises to those who put something in, and to the worker that has it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.jobs import queue
from ptolemy.jobs.job import Job, LeaseLost
from ptolemy.kernel.identifiers import uuid7


async def test_a_job_is_gone_with_the_transaction_that_put_it_in(database: Database, workspace_id: UUID) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.session() as session:
            await queue.enqueue(session, "write", uuid7(), workspace_id)
            raise ZeroDivisionError
    assert await take(database) is None


async def test_a_job_that_someone_has_is_not_given_to_another(database: Database, workspace_id: UUID) -> None:
    await enqueue(database, workspace_id)
    assert await take(database)
    assert await take(database) is None


async def test_a_job_comes_with_its_payload(database: Database, workspace_id: UUID) -> None:
    async with database.session() as session:
        await queue.enqueue(session, "write", uuid7(), workspace_id, {"lot_size": Decimal("0.10"), "names": ["a"]})
    job = await take(database)
    assert job is not None
    assert (job.workspace_id, job.payload) == (workspace_id, {"lot_size": Decimal("0.10"), "names": ["a"]})


async def test_the_higher_priority_goes_first_and_equals_in_their_order(database: Database, workspace_id: UUID) -> None:
    first, second, urgent = [await enqueue(database, workspace_id, priority=priority) for priority in (0, 0, 9)]
    taken = [await take(database) for _ in range(3)]
    assert [job.id for job in taken if job] == [urgent, first, second]


async def test_a_late_worker_can_not_commit(database: Database, workspace_id: UUID) -> None:
    await enqueue(database, workspace_id)
    late = await take(database, lease_seconds=0)
    assert late is not None
    assert await take(database)
    with pytest.raises(LeaseLost):
        async with database.session() as session:
            await session.run(Sql.of("insert into written (what) values ('late')"))
            await late.still_ours(session)
    with pytest.raises(LeaseLost):
        async with database.session() as session:
            await late.finish(session)
    async with database.session() as session:
        assert not await session.value(Sql.of("select 1 from written"))


async def test_nobody_takes_a_job_between_the_fence_and_the_commit(database: Database, workspace_id: UUID) -> None:
    await enqueue(database, workspace_id)
    job = await take(database, lease_seconds=0)
    assert job is not None
    async with database.session() as session:
        await job.still_ours(session)
        assert await take(database) is None


async def test_a_worker_frozen_at_its_fence_is_thrown_out_by_the_database(
    database: Database, workspace_id: UUID
) -> None:
    await enqueue(database, workspace_id)
    job = await take(database)
    assert job is not None
    async with database.session() as session:
        await job.still_ours(session)
        assert await session.value(Sql.of("show idle_in_transaction_session_timeout")) == "10s"
    async with database.session() as session:
        assert await session.value(Sql.of("show idle_in_transaction_session_timeout")) == "0"


async def test_the_heartbeat_neither_waits_for_a_fence_nor_takes_it_for_a_loss(
    database: Database, workspace_id: UUID
) -> None:
    await enqueue(database, workspace_id)
    job = await take(database)
    assert job is not None
    async with database.session() as fenced, asyncio.timeout(5):
        await job.still_ours(fenced)
        async with database.session() as beat:
            assert [held.lease_token for held in await queue.renew(beat, [job.lease_token], 20)] == [job.lease_token]


async def test_the_heartbeat_learns_of_a_lost_lease(database: Database, workspace_id: UUID) -> None:
    await enqueue(database, workspace_id)
    late = await take(database, lease_seconds=0)
    assert late is not None
    assert await take(database)
    async with database.session() as session:
        assert await queue.renew(session, [late.lease_token], 20) == []


async def test_a_waiting_job_is_cancelled_at_once(database: Database, workspace_id: UUID) -> None:
    job_id = await enqueue(database, workspace_id)
    async with database.session() as session:
        assert await queue.cancel(session, workspace_id, job_id) == "removed"
        assert await queue.cancel(session, workspace_id, job_id) == "gone"


async def test_another_workspace_can_not_cancel_a_job(database: Database, workspace_id: UUID) -> None:
    job_id = await enqueue(database, workspace_id)
    async with database.session() as session:
        assert await queue.cancel(session, uuid7(), job_id) == "gone"
    assert await take(database)


async def test_a_fence_tells_of_a_cancellation(database: Database, workspace_id: UUID) -> None:
    job_id = await enqueue(database, workspace_id)
    job = await take(database)
    assert job is not None
    async with database.session() as session:
        assert await queue.cancel(session, workspace_id, job_id) == "requested"
    async with database.session() as session:
        await job.still_ours(session)
    assert job.cancelled()


async def enqueue(database: Database, workspace_id: UUID, *, priority: int = 0) -> UUID:
    job_id = uuid7()
    async with database.session() as session:
        await queue.enqueue(session, "write", job_id, workspace_id, priority=priority)
    return job_id


async def take(database: Database, lease_seconds: float = 20) -> Job | None:
    async with database.session() as session:
        claimed = await queue.claim(session, ["write"], 1, lease_seconds)
    return Job.of(claimed[0], asyncio.Event(), 20) if claimed else None
