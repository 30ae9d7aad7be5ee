"""Events go when their time is over, and who comes back too late is told so."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.plans.events_kept import events_days
from tests.product import Workspace, answered, problem, wait_for
from tests.upkeep.keeping import AT_MOST_DAYS, Body, Keeping


def feed(workspace: Workspace, **params: Any) -> list[Body]:
    found: list[Body] = answered(workspace.robot.get("/events", params={"limit": 200, **params}), 200)["data"]
    return found


def ids(events: list[Body]) -> list[str]:
    return [event["id"] for event in events]


@pytest.mark.parametrize(
    ("plan", "days"), [("starter", 90), ("growth", AT_MOST_DAYS), ("enterprise", AT_MOST_DAYS)], ids=str
)
def test_events_are_forgotten_when_their_time_is_over_and_not_before(keeping: Keeping, plan: str, days: int) -> None:
    keeping.on_plan(plan)
    before = ids(wait_for(lambda: feed(keeping.workspace) or None))
    keeping.pass_by(days=days, hours=-1)
    keeping.upkeep()
    assert ids(feed(keeping.workspace))[: len(before)] == before
    keeping.pass_by(hours=2)
    keeping.upkeep()
    assert not set(before) & set(ids(feed(keeping.workspace)))


def test_a_position_before_what_was_forgotten_is_refused_and_told_where_to_go_on(keeping: Keeping) -> None:
    robot = keeping.workspace.robot
    kept = wait_for(lambda: found if len(found := feed(keeping.workspace)) > 10 else None)
    keeping.pass_by(days=AT_MOST_DAYS + 1)
    keeping.upkeep()
    keeping.workspace.create("market-types", identifier="later")
    gone = problem(robot.get("/events", params={"after": kept[0]["position"]}), 410, "events_forgotten")
    body = {"after": kept[0]["position"]}
    problem(robot.post("/events/filter", json=body), 410, "events_forgotten")
    # Who has seen the last one that was forgotten has missed nothing.
    news = wait_for(lambda: feed(keeping.workspace, after=gone["forgotten_up_to"]) or None)
    assert [event["event_type"] for event in news] == ["market_type.created"]
    problem(robot.get(f"/events/{kept[0]['id']}"), 404, "not_found")


def test_a_cursor_of_a_walk_that_waited_too_long_is_refused_too(keeping: Keeping) -> None:
    robot = keeping.workspace.robot
    cursor = wait_for(lambda: answered(robot.get("/events?limit=2"), 200)["meta"]["next_cursor"])
    keeping.pass_by(days=AT_MOST_DAYS + 1)
    keeping.upkeep()
    problem(robot.get("/events", params={"limit": 2, "after": cursor}), 410, "events_forgotten")


def test_events_are_forgotten_from_the_beginning_of_the_feed_and_never_from_its_middle(keeping: Keeping) -> None:
    aged = "update events set created_at = created_at - $2::int * interval '1 day' where workspace_id = $1 and {}"
    for which, days in (("resource_type = 'series'", 80), ("resource_type <> 'series'", 110)):
        keeping.sight.rows(aged.format(which), keeping.workspace_id, days)
    keeping.upkeep()
    left = keeping.sight.rows(
        "select resource_type, created_at < now() - interval '100 days' as is_old from events"
        " where workspace_id = $1 order by epoch, xid, id",
        keeping.workspace_id,
    )
    # What stands behind an event that is kept waits for its turn.
    assert [(row["resource_type"], row["is_old"]) for row in left[:2]] == [("series", False)] * 2
    assert {(row["resource_type"], row["is_old"]) for row in left[2:]} == {("time_series_type_field", True)}


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
    keeping: Keeping, plan: str, at_most: int | None, days: int | None
) -> None:
    keeping.on_plan(plan)

    async def ask(workspace_id: UUID) -> int | None:
        database = await Database.open(keeping.sight.dsn, app_connections=1, owner_connections=1)
        try:
            async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
                return await events_days(tx, at_most)
        finally:
            await database.close()

    assert asyncio.run(ask(keeping.workspace_id)) == days


def test_the_application_itself_can_neither_change_nor_remove_an_event(keeping: Keeping) -> None:
    rights = ("select", "insert", "update", "delete", "truncate")
    may = "select has_table_privilege('ptolemy_app', 'events', u) from unnest($1::text[]) u"
    assert keeping.sight.column(may, rights) == [True, True, False, False, False]
