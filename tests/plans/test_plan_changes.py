"""A plan may change at any time, and the count of items is exact whatever else happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptolemy.accounts.workspaces import set_plan, tell_of_overage
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.plans import item_quota, items
from ptolemy.plans.plan import Plan
from tests.plans.desk import Desk
from tests.product import answered, problem, wait_for

LARGE = Plan(items=1_000_000)


def test_the_count_is_exact_after_changes_of_plan_under_load(desk: Desk) -> None:
    desk.on(LARGE).move_to("enterprise")
    stop = threading.Event()
    token = desk.workspace.token("member")

    def write(number: int) -> int:
        client, written = desk.workspace.client(token), 0
        while not stop.is_set():
            identifier = f"i{number}-{written}"
            answered(desk.instrument(identifier, client), 201)
            if written % 3 == 2:
                answered(client.delete(f"/instruments/{identifier}?hard=true"), 204)
            written += 1
        return written

    with ThreadPoolExecutor(4) as threads:
        writing = [threads.submit(write, number) for number in range(4)]
        try:
            for _ in range(8):
                desk.move_to("starter")
                desk.move_to("enterprise")
            desk.move_to("starter")
        finally:
            stop.set()
        assert all(each.result() for each in writing)
    assert desk.counter() == desk.stored_items() > 0


@pytest.mark.parametrize("taken", [1, -1])
def test_a_limit_that_comes_as_it_is_looked_for_refuses_nothing(
    desk: Desk, database_url: str, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    desk.on(LARGE).move_to("enterprise")

    async def work() -> None:
        database = await Database.open(database_url, app_connections=4, owner_connections=1)
        caller = Caller(desk.id, SYSTEM)
        try:
            async with database.transaction(caller) as writer:
                look = writer.row

                async def and_then_it_comes(sql: Sql) -> Row | None:
                    monkeypatch.undo()
                    found = await look(sql)
                    async with database.transaction(caller) as tx:
                        await set_plan(tx, "starter")
                    return found

                monkeypatch.setattr(writer, "row", and_then_it_comes)
                await item_quota.take(writer, taken)
        finally:
            await database.close()

    asyncio.run(work())


def test_a_new_limit_waits_for_writers_that_do_not_know_of_it(desk: Desk, database_url: str) -> None:
    desk.on(LARGE).move_to("enterprise")

    async def work() -> None:
        database = await Database.open(database_url, app_connections=4, owner_connections=1)
        caller = Caller(desk.id, SYSTEM)
        try:
            async with database.transaction(caller) as writer:
                await items.count(writer, {"instruments": 5})
                await writer.settle()
                async with database.transaction(caller) as tx:
                    await set_plan(tx, "starter")
                assert not await item_quota.count_up(database, desk.id, patience_seconds=0)
                counting = asyncio.create_task(item_quota.count_up(database, desk.id, patience_seconds=60))
                async with database.transaction(caller) as late:
                    await items.count(late, {"instruments": 2})
            assert await counting
        finally:
            await database.close()

    asyncio.run(work())
    assert desk.counter() == 7


def test_a_smaller_plan_takes_nothing_away_and_lets_nothing_in(desk: Desk) -> None:
    desk.instruments("a", "b", "c").on(Plan(items=1))
    problem(desk.instrument("d"), 403, "item_quota_exceeded")
    answered(desk.workspace.admin.delete("/instruments/a?hard=true"), 204)
    problem(desk.instrument("d"), 403, "item_quota_exceeded")
    assert desk.counter() == 2


def test_a_workspace_that_begins_on_a_plan_begins_with_its_limit(desk: Desk, new_desk: Callable[[], Desk]) -> None:
    desk.on(Plan(items=0), "enterprise")
    try:
        fresh = new_desk()
        fresh.workspace.equity()
        assert fresh.counter() == 0
        problem(fresh.instrument("a"), 403, "item_quota_exceeded")
    finally:
        desk.on(Plan(), "enterprise")
    fresh.instruments("a")


def test_other_numbers_of_a_plan_reach_the_workspaces_that_are_on_it(desk: Desk, new_desk: Callable[[], Desk]) -> None:
    desk.on(Plan(items=1)).instruments("a")
    other = new_desk().on(Plan(items=2))
    desk.instruments("b")
    assert (desk.counter(), other.counter()) == (2, 0)


def test_a_change_of_plan_has_its_event(desk: Desk) -> None:
    desk.on(LARGE)
    # Sorted, they are all there at once: the feed waits for the writers of other tests.
    asked = {
        "filter": {"field": "event_type", "op": "eq", "value": "workspace.updated"},
        "sort": [{"field": "created_at"}],
    }
    found = answered(desk.workspace.admin.post("/events/filter", json=asked), 200)["data"]
    assert [event["changes"] for event in found] == [{"plan": {"from": "enterprise", "to": "starter"}}]


def test_overage_is_told_once_a_month(desk: Desk) -> None:
    desk.on(Plan(items=1, item_overage=True)).instruments("a", "b")
    desk.within(tell_of_overage)
    desk.instruments("c")
    desk.within(tell_of_overage)
    # Writers of other workspaces hold the feed back for a moment.
    [event] = wait_for(
        lambda: answered(desk.workspace.admin.get("/events?event_type=plan.overage_started"), 200)["data"] or None
    )
    assert (event["actor"]["type"], event["resource_identifier"]) == ("system", desk.workspace.slug)
    assert event["changes"]["items"] == {"from": None, "to": 1}


STEP = st.sampled_from(["create", "archive", "restore", "remove", "value", "bar", "cascade", "refused", "plan"])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=25))
def test_the_counter_is_what_there_is_after_anything(desk: Desk, steps: list[str]) -> None:
    desk.on(Plan(items=40))
    client, number = desk.workspace.admin, desk.stored_items()
    name = f"x{number}"
    for place, step in enumerate(steps):
        number += 1
        series = "close" if step == "value" else "bar"
        value = {"instrument_id": name, "type_id": series, "timestamp": f"2026-01-01T00:00:{place:02}.{number:06}Z"}
        if step == "create":
            name = f"i{place}-{number}"
            desk.instrument(name)
        elif step in ("archive", "remove", "cascade"):
            query = {"archive": "", "remove": "?hard=true", "cascade": "?hard=true&cascade=true"}[step]
            client.delete(f"/instruments/{name}{query}")
        elif step == "restore":
            client.post(f"/instruments/{name}/restore")
        elif step == "value":
            client.post("/time-series-values", json={**value, "value": "1"})
        elif step == "bar":
            items_sent = [{"field_key": key, "value": "1"} for key in ("open", "high", "low", "close")]
            client.post("/composite-time-series-values", json={**value, "items": items_sent})
        elif step == "refused":
            desk.instrument("a b")
        else:
            desk.move_to("enterprise")
            desk.move_to("starter")
    stored = desk.stored_items()
    assert desk.counter() == stored <= 40
    assert desk.plan()["usage"]["items"] == stored
