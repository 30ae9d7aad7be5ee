"""Events and the records of jobs go when their time is over, and who comes back too late is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from ptolemy.database.pool import Database
from ptolemy.database.retention import AT_ONCE, forget
from ptolemy.events.retention import KEPT
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.plans.events_kept import events_days
from ptolemy.worker import FORGOTTEN_WITH_EVENTS
from tests.product import Workspace, answered, problem, wait_for

Body = dict[str, Any]
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


class Keeper:
    """The upkeep of one workspace, by a clock that the test sets."""

    def __init__(self, database_url: str, workspace: Workspace) -> None:
        self._url = database_url
        self.workspace_id = UUID(answered(workspace.admin.get("/"), 200)["id"])

    def work(self, kept_days: int, *, later_days: int) -> None:
        async def done(database: Database) -> None:
            before = datetime.now(UTC) + timedelta(days=later_days - kept_days)
            for kept in FORGOTTEN_WITH_EVENTS:
                await forget(database, Caller(self.workspace_id, SYSTEM), kept, before, lambda: None)

        self._with(done)

    def days(self, plan: str, at_most: int | None) -> int | None:
        found: list[int | None] = []

        async def ask(database: Database) -> None:
            async with database.transaction(Caller(self.workspace_id, SYSTEM)) as tx:
                await tx.driver.execute(f"update workspaces set plan = '{plan}' where id = '{self.workspace_id}'")
                found.append(await events_days(tx, at_most))

        self._with(ask)
        return found[0]

    def sql(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        async def run() -> list[asyncpg.Record]:
            driver = await asyncpg.connect(self._url)
            try:
                rows: list[asyncpg.Record] = await driver.fetch(statement, *values)
                return rows
            finally:
                await driver.close()

        return asyncio.run(run())

    def _with(self, work: Callable[[Database], Any]) -> None:
        async def opened() -> None:
            database = await Database.open(self._url, app_connections=1, owner_connections=1)
            try:
                await work(database)
            finally:
                await database.close()

        asyncio.run(opened())


@pytest.fixture
def keeper(product_database_url: str, workspace: Workspace) -> Keeper:
    return Keeper(product_database_url, workspace)


def feed(workspace: Workspace, **params: Any) -> list[Body]:
    found: list[Body] = answered(workspace.robot.get("/events", params={"limit": 200, **params}), 200)["data"]
    return found


def test_events_are_forgotten_when_their_time_is_over_and_not_before(workspace: Workspace, keeper: Keeper) -> None:
    workspace.equity()
    before = wait_for(lambda: feed(workspace) or None)
    keeper.work(90, later_days=89)
    assert feed(workspace)[: len(before)] == before
    keeper.work(90, later_days=91)
    assert not [event for event in feed(workspace) if event in before]


def test_a_position_before_what_was_forgotten_is_refused_and_told_where_to_go_on(
    workspace: Workspace, keeper: Keeper
) -> None:
    workspace.equity()
    kept = wait_for(lambda: found if len(found := feed(workspace)) > 10 else None)
    keeper.work(90, later_days=91)
    workspace.create("market-types", identifier="later")
    gone = problem(workspace.robot.get("/events", params={"after": kept[0]["position"]}), 410, "events_forgotten")
    body = {"after": kept[0]["position"]}
    problem(workspace.robot.post("/events/filter", json=body), 410, "events_forgotten")
    # Who has seen the last one that was forgotten has missed nothing.
    news = wait_for(lambda: feed(workspace, after=gone["forgotten_up_to"]) or None)
    assert [event["event_type"] for event in news] == ["market_type.created"]
    problem(workspace.robot.get(f"/events/{kept[0]['id']}"), 404, "not_found")


def test_a_cursor_of_a_walk_that_waited_too_long_is_refused_too(workspace: Workspace, keeper: Keeper) -> None:
    workspace.equity()
    cursor = wait_for(lambda: answered(workspace.robot.get("/events?limit=2"), 200)["meta"]["next_cursor"])
    keeper.work(90, later_days=91)
    problem(workspace.robot.get("/events", params={"limit": 2, "after": cursor}), 410, "events_forgotten")


def test_events_are_forgotten_a_little_at_a_time_from_the_beginning_of_the_feed(
    workspace: Workspace, keeper: Keeper
) -> None:
    keeper.sql("delete from events where workspace_id = $1", keeper.workspace_id)
    # One transaction a year ago, and one today that began before the last of them did.
    for xid, number, age in ((1, 2 * AT_ONCE + 10, "400 days"), (2, 1, "1 day"), (3, 5, "500 days")):
        keeper.sql(
            "insert into events (workspace_id, id, epoch, xid, event_type, resource_type, resource_id, changes,"
            " actor_type, actor_name, created_at) select $1, gen_random_uuid(), 0, $2::text::xid8, 'a.b', 'a',"
            " gen_random_uuid(), '{}', 'system', 's', now() - $4::text::interval from generate_series(1, $3::int)",
            keeper.workspace_id,
            str(xid),
            number,
            age,
        )
    steps: list[None] = []

    async def work() -> int:
        database = await Database.open(keeper._url, app_connections=1, owner_connections=1)
        try:
            before = datetime.now(UTC) - timedelta(days=365)
            return await forget(database, Caller(keeper.workspace_id, SYSTEM), KEPT, before, lambda: steps.append(None))
        finally:
            await database.close()

    assert asyncio.run(work()) == 2 * AT_ONCE + 10
    assert len(steps) == 3
    left = keeper.sql("select xid::text from events where workspace_id = $1 order by xid", keeper.workspace_id)
    assert [row["xid"] for row in left] == ["2", *["3"] * 5]


def test_records_of_ended_jobs_go_with_the_events_and_their_failed_rows_with_them(
    workspace: Workspace, keeper: Keeper
) -> None:
    workspace.equity()
    job = workspace.import_file("instruments", b"identifier,name,type_id\na,A,equity\nb,B,nope\n", on_error="continue")
    assert job["rows_failed"] == 1
    keeper.sql(
        "insert into import_errors (workspace_id, import_id, id, row, code, message)"
        " select $1, $2, gen_random_uuid(), n, 'x', 'x' from generate_series(1, $3) n",
        keeper.workspace_id,
        UUID(job["id"]),
        2 * AT_ONCE,
    )
    workspace.export("instruments")
    keeper.work(90, later_days=89)
    assert answered(workspace.robot.get(f"/imports/{job['id']}"), 200)["status"] == "completed"
    keeper.work(90, later_days=91)
    problem(workspace.robot.get(f"/imports/{job['id']}"), 404, "not_found")
    assert not keeper.sql("select 1 from import_errors where workspace_id = $1", keeper.workspace_id)
    # Its file is still there to be removed: so long the record is needed.
    assert len(keeper.sql("select 1 from exports where workspace_id = $1", keeper.workspace_id)) == 1
    keeper.sql("update exports set file_removed_at = now() where workspace_id = $1", keeper.workspace_id)
    keeper.work(90, later_days=91)
    assert not keeper.sql("select 1 from exports where workspace_id = $1", keeper.workspace_id)


def test_a_job_that_is_under_way_keeps_its_record(workspace: Workspace, keeper: Keeper) -> None:
    keeper.sql(
        "insert into exports (workspace_id, id, resource_type, format, include_archived, status, rows_written,"
        " created_at) values ($1, $2, 'instruments', 'csv', false, 'processing', 0, $3)",
        keeper.workspace_id,
        uuid4(),
        LONG_AGO,
    )
    keeper.work(1, later_days=1000)
    assert len(keeper.sql("select 1 from exports where workspace_id = $1", keeper.workspace_id)) == 1


def test_upkeep_forgets_what_the_plan_no_longer_keeps(workspace: Workspace, keeper: Keeper) -> None:
    workspace.equity()
    keeper.sql("update workspaces set plan = 'starter' where id = $1", keeper.workspace_id)
    aged = "update events set created_at = created_at - $2::int * interval '1 day' where workspace_id = $1 and {}"
    keeper.sql(aged.format("resource_type = 'series'"), keeper.workspace_id, 80)
    keeper.sql(aged.format("resource_type <> 'series'"), keeper.workspace_id, 100)
    keeper.sql("update jobs set run_at = now() where kind = 'upkeep'")
    before = "select 1 from events where workspace_id = $1 and created_at < now() - interval '90 days'"
    # What stands before the events of the series goes; what stands behind them waits for its turn.
    first = "select 1 from events where workspace_id = $1 and resource_type = 'instrument_type'"
    wait_for(lambda: not keeper.sql(first, keeper.workspace_id) or None)
    assert keeper.sql(before, keeper.workspace_id)
    assert (
        len(
            keeper.sql("select 1 from events where resource_type = 'series' and workspace_id = $1", keeper.workspace_id)
        )
        == 2
    )


@pytest.mark.parametrize(
    ("plan", "at_most", "days"),
    [
        ("starter", None, 90),
        ("growth", None, 365),
        ("enterprise", None, None),
        ("enterprise", 30, 30),
        ("starter", 365, 90),
        ("growth", 100, 100),
    ],
)
def test_the_plan_says_how_long_and_the_operator_at_most(
    keeper: Keeper, plan: str, at_most: int | None, days: int | None
) -> None:
    assert keeper.days(plan, at_most) == days


def test_the_application_itself_can_neither_change_nor_remove_an_event(keeper: Keeper) -> None:
    rights = ("select", "insert", "update", "delete", "truncate")
    may = keeper.sql("select has_table_privilege('ptolemy_app', 'events', u) as may from unnest($1::text[]) u", rights)
    assert [row["may"] for row in may] == [True, True, False, False, False]
