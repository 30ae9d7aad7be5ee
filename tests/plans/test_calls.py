"""Robots' calls are counted, and never more of them let through than the plan has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from ptolemy.accounts.removal import remove_workspace
from ptolemy.accounts.workspaces import create_workspace
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.plans import call_counts, overage
from ptolemy.plans.calls import Allowance, CallsRefused, Meter, Terms
from tests.accounts.office import no_seed
from tests.webhooks.desk import come_true

TOKEN = uuid7()
JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


class Clock:
    def __init__(self, at: str) -> None:
        self.set(at)

    def set(self, at: str) -> None:
        self.now = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, app_connections=8, owner_connections=1)
    yield opened
    await opened.close()


@pytest.fixture
async def workspace_id(database: Database) -> UUID:
    found = uuid7()
    async with database.transaction(Caller(found, SYSTEM)) as tx:
        await create_workspace(tx, f"w-{found.hex}", None, creator=None, seed=no_seed)
    return found


async def passed(meter: Meter, workspace_id: UUID, terms: Terms, asked: int) -> int:
    """How many of so many calls, all at once, get through."""

    async def one() -> bool:
        try:
            await meter.count(workspace_id, TOKEN, terms)
        except CallsRefused as refused:
            assert refused.code == "call_quota_exceeded"
            return False
        return True

    return sum(await asyncio.gather(*(one() for _ in range(asked))))


async def used(database: Database, workspace_id: UUID, month: date = JULY) -> int:
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        return await call_counts.in_month(tx, month)


async def test_as_many_calls_get_through_as_the_plan_has(database: Database, workspace_id: UUID) -> None:
    meter = Meter(database, clock=Clock("2026-07-15"))
    async with meter.running():
        assert await passed(meter, workspace_id, Terms(237), 400) == 237
        assert await passed(meter, workspace_id, Terms(237), 10) == 0
    assert await used(database, workspace_id) == 237


async def test_two_processes_together_let_through_no_more(database: Database, workspace_id: UUID) -> None:
    clock = Clock("2026-07-15")
    meters = [Meter(database, clock=clock) for _ in range(2)]
    first = await asyncio.gather(*(passed(meter, workspace_id, Terms(1000), 300) for meter in meters))
    assert first == [300, 300]
    for meter in meters:
        await meter.flush(give_back=True)
    assert sum(await asyncio.gather(*(passed(meter, workspace_id, Terms(1000), 400) for meter in meters))) <= 400
    for meter in meters:
        await meter.flush(give_back=True)
    clock.now += 2
    assert await passed(meters[0], workspace_id, Terms(1000), 400) + await used(database, workspace_id) == 1000


async def test_many_processes_begin_a_month_together(database: Database, workspace_id: UUID) -> None:
    meters = [Meter(database, clock=Clock("2026-07-15")) for _ in range(8)]
    found = await asyncio.gather(*(passed(meter, workspace_id, Terms(1000), 3) for meter in meters))
    assert found == [3] * 8


async def test_what_a_process_leased_and_did_not_use_is_given_back(database: Database, workspace_id: UUID) -> None:
    async with (meter := Meter(database, clock=Clock("2026-07-15"))).running():
        assert await passed(meter, workspace_id, Terms(100_000), 1) == 1
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        taken = await tx.value(Sql.of("select taken from call_quotas where workspace_id = ?", workspace_id))
    assert taken == await used(database, workspace_id) == 1


async def test_a_crash_costs_no_more_than_a_lease(database: Database, workspace_id: UUID) -> None:
    clock = Clock("2026-07-15")
    assert await passed(Meter(database, clock=clock), workspace_id, Terms(10_000), 10) == 10  # and it is gone
    left = await passed(Meter(database, clock=clock), workspace_id, Terms(10_000), 10_000)
    assert 10_000 - call_counts.MOST_LEASED <= left <= 9_990


async def test_calls_begin_anew_with_the_month(database: Database, workspace_id: UUID) -> None:
    clock, terms = Clock("2026-07-31T23:59:59"), Terms(30)
    async with (meter := Meter(database, clock=clock)).running():
        assert await passed(meter, workspace_id, terms, 40) == 30
        with pytest.raises(CallsRefused) as refused:
            await meter.count(workspace_id, TOKEN, terms)
        assert refused.value.headers["Retry-After"] == "2"
        assert refused.value.allowance == Allowance(30, 0, int(datetime(2026, 8, 1, tzinfo=UTC).timestamp()))
        clock.set("2026-08-01T00:00:00")
        after = await meter.count(workspace_id, TOKEN, terms)
        assert after == Allowance(30, 29, int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()))
    assert (await used(database, workspace_id, JULY), await used(database, workspace_id, AUGUST)) == (30, 1)


async def test_a_lease_ends_with_its_month(database: Database, workspace_id: UUID) -> None:
    clock = Clock("2026-07-31")
    meter = Meter(database, clock=clock)
    assert (await meter.count(workspace_id, TOKEN, Terms(10_000))).remaining == 9_999
    clock.set("2026-08-01")
    assert (await meter.count(workspace_id, TOKEN, Terms(10_000))).remaining == 9_999


@pytest.mark.usefixtures("one_server")  # whoever waits is seen on the coordinator alone
async def test_a_lease_that_could_not_be_given_back_is_not_used_in_the_next_month(
    database: Database, workspace_id: UUID
) -> None:
    clock, terms = Clock("2026-07-31"), Terms(2000)
    meter = Meter(database, clock=clock)
    assert await passed(meter, workspace_id, terms, 1) == 1
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        # Whoever gives back waits here, until the connection breaks.
        await call_counts.give_back(tx, JULY, 0)
        giving_back = asyncio.create_task(meter.flush(give_back=True))

        async def somebody_waits() -> bool | None:
            return await tx.value(Sql("select exists (select from pg_locks where not granted)")) or None

        await come_true(somebody_waits)
        clock.set("2026-08-01")
        assert await passed(meter, workspace_id, terms, 1) == 1
        giving_back.cancel()
        with suppress(asyncio.CancelledError):
            await giving_back
    assert await passed(meter, workspace_id, terms, 2200) == 1999


async def test_a_limit_counts_what_the_month_has_used_before_it(database: Database, workspace_id: UUID) -> None:
    async with (meter := Meter(database, clock=Clock("2026-07-15"))).running():
        assert await passed(meter, workspace_id, Terms(), 70) == 70
        assert await passed(meter, workspace_id, Terms(100), 100) == 30
        assert await passed(meter, workspace_id, Terms(), 5) == 5
        assert await passed(meter, workspace_id, Terms(110), 100) == 5


async def test_the_remaining_calls_are_told_with_each(database: Database, workspace_id: UUID) -> None:
    async with (meter := Meter(database, clock=Clock("2026-07-15"))).running():
        told = [(await meter.count(workspace_id, TOKEN, Terms(50))).remaining for _ in range(50)]
    assert told == list(range(49, -1, -1))


async def test_with_overage_calls_pass_and_are_recorded(database: Database, workspace_id: UUID) -> None:
    terms = Terms(10, overage=True)
    async with (meter := Meter(database, clock=Clock("2026-07-15"))).running():
        told = [(await meter.count(workspace_id, TOKEN, terms)).remaining for _ in range(13)]
        assert told == [*range(9, -1, -1), 0, 0, 0]
        await meter.flush()
        assert (await meter.count(workspace_id, TOKEN, terms)).remaining == 0
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        [row] = await overage.of(tx, JULY, JULY)
    assert (row["month"], row["kind"], row["amount"]) == (JULY, "calls", 4)


async def test_deliveries_count_and_are_never_refused(database: Database, workspace_id: UUID) -> None:
    at, terms = datetime(2026, 7, 15, tzinfo=UTC), Terms(10)
    async with (meter := Meter(database, clock=Clock("2026-07-15"))).running():
        assert await passed(meter, workspace_id, terms, 1) == 1
        async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
            await call_counts.count_deliveries(tx, 7, at)
        assert await passed(meter, workspace_id, terms, 10) == 2
        async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
            await call_counts.count_deliveries(tx, 1, at)
    assert await used(database, workspace_id) == 11


async def test_without_a_limit_calls_are_written_now_and_then(database: Database, workspace_id: UUID) -> None:
    meter = Meter(database, clock=Clock("2026-07-15"))
    assert await passed(meter, workspace_id, Terms(), 1000) == 1000
    assert await used(database, workspace_id) == 0
    await meter.flush()
    assert await used(database, workspace_id) == 1000


async def test_calls_are_written_on_after_another_writer_came_between(database: Database, workspace_id: UUID) -> None:
    caller, meter = Caller(workspace_id, SYSTEM), Meter(database, clock=Clock("2026-07-15"))
    assert await passed(meter, workspace_id, Terms(), 10) == 10
    async with database.transaction(caller) as tx:
        await tx.lock("calls")
        writing = asyncio.create_task(meter.flush())

        async def it_waits() -> bool | None:
            waits = "select exists (select from pg_locks where pg_backend_pid() = any(pg_blocking_pids(pid)))"
            return await tx.value(Sql(waits)) or None

        await come_true(it_waits)
        # It holds what this one wants, and wants what this one holds: the database ends the one that has waited longer.
        await tx.run(Sql.of("select from workspaces where id = ? for update", workspace_id))
    await writing
    assert await used(database, workspace_id) == 0
    await meter.flush()
    assert await used(database, workspace_id) == 10


@pytest.mark.parametrize("limit", [None, 1000])
async def test_nothing_is_written_of_a_workspace_that_was_removed_meanwhile(
    limit: int | None, database: Database, workspace_id: UUID
) -> None:
    meter = Meter(database, clock=Clock("2026-07-15"))
    assert await passed(meter, workspace_id, Terms(limit), 10) == 10
    async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
        await remove_workspace(tx, f"w-{workspace_id.hex}")
    await meter.flush(give_back=True)
    assert await used(database, workspace_id) == 0
