"""What robots and people are told of the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from ptolemy.accounts.memberships import add_member
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.problems import Problem
from ptolemy.plans.plan import Plan
from tests import house
from tests.crowd import at_once, statuses
from tests.plans.desk import Desk
from tests.product import answered, problem, refused_fields
from tests.serving import add_person, configured, serving


def headers_of(response: httpx.Response) -> dict[str, int]:
    return {
        name: int(response.headers[f"x-ratelimit-{name}"])
        for name in ("limit", "remaining", "reset")
        if f"x-ratelimit-{name}" in response.headers
    }


def test_a_robot_over_its_calls_is_told_when_to_come_back(desk: Desk) -> None:
    robot = desk.on(Plan(calls=3)).workspace.robot
    left = [headers_of(robot.get(path))["remaining"] for path in ("/instruments", "/instruments/nope")]
    assert left == [2, 1]
    assert robot.post("/series", json={}).status_code == 403
    refused = robot.get("/instruments")
    problem(refused, 429, "call_quota_exceeded")
    told = headers_of(refused)
    assert (told["limit"], told["remaining"]) == (3, 0)
    month_ends = told["reset"] - datetime.now(UTC).timestamp()
    assert 0 <= int(refused.headers["retry-after"]) - month_ends <= 3
    assert headers_of(desk.workspace.admin.get("/instruments")) == {}
    assert desk.plan()["usage"]["calls"] == 3


def test_a_request_to_a_foreign_workspace_counts_for_the_robot_s_own(desk: Desk, new_desk: Callable[[], Desk]) -> None:
    desk.on(Plan(calls=2))
    foreign = new_desk().workspace.client(desk.workspace.token("member"))
    assert headers_of(foreign.get("/instruments"))["remaining"] == 1
    assert [foreign.get("/instruments").status_code for _ in range(2)] == [404, 429]


def test_requests_that_nothing_answers_count_too(desk: Desk) -> None:
    robot = desk.on(Plan(calls=2)).workspace.robot
    left = [headers_of(robot.request(*each))["remaining"] for each in (("GET", "/nothing"), ("PUT", "/instruments"))]
    assert left == [1, 0]
    assert desk.plan()["usage"]["calls"] == 2
    problem(robot.get("/nothing"), 429, "call_quota_exceeded")
    problem(robot.put("/instruments"), 429, "call_quota_exceeded")
    assert desk.workspace.admin.get("/nothing").status_code == 404


def test_thirty_two_clients_make_exactly_the_calls_of_the_plan(desk: Desk) -> None:
    token = desk.on(Plan(calls=500)).workspace.token("viewer")
    clients = [desk.workspace.client(token) for _ in range(32)]

    def busy(client: httpx.Client, _: int) -> Counter[int]:
        return statuses([client.get("/instruments") for _ in range(20)])

    found = at_once(clients, busy)
    assert sum(each[200] for each in found) == 500
    assert sum(each[429] for each in found) == 140


def test_the_plan_tells_its_limits_and_what_is_used(desk: Desk) -> None:
    desk.on(Plan(items=10, calls=20, seats=30, webhooks=40, call_overage=True, events_days=90)).instruments("a")
    answered(desk.workspace.robot.get("/instruments"), 200)
    plan = answered(desk.workspace.client(desk.workspace.token("viewer")).get("/plan"), 200)
    assert plan["plan"] == "starter"
    assert plan["limits"] == {"items": 10, "calls": 20, "seats": 30, "webhooks": 40}
    assert plan["overage_allowed"] == {"items": False, "calls": True}
    assert plan["events_kept_days"] == 90
    month = datetime.now(UTC).date().replace(day=1).isoformat()
    assert plan["usage"] == {
        "items": 1,
        "by_kind": {"instruments": 1},
        "calls": 2,
        "seats": 1,
        "webhooks": 0,
        "month": month,
        "overage": {"items": 0, "calls": 0},
    }


def test_without_limits_the_plan_says_null(desk: Desk) -> None:
    plan = desk.plan()
    assert plan["plan"] == "enterprise"
    assert set(plan["limits"].values()) == {None}
    assert plan["events_kept_days"] is None


def test_usage_is_told_by_kind_and_day(desk: Desk) -> None:
    desk.instruments("a", "b")
    answered(desk.workspace.admin.delete("/instruments/a?hard=true"), 204)
    answered(desk.workspace.robot.get("/instruments"), 200)
    told = answered(desk.workspace.admin.get("/plan/usage"), 200)
    today = datetime.now(UTC).date()
    assert told["to"] == today.isoformat()
    assert told["from"] == (today - timedelta(days=30)).isoformat()
    assert told["overage"] == []
    assert told["data"] == [
        {"day": today.isoformat(), "kind": "instruments", "change": 1, "total": 1},
        {"day": today.isoformat(), "kind": "requests", "change": 1, "total": 1},
    ]
    past = answered(desk.workspace.admin.get("/plan/usage?from=2020-01-01&to=2020-02-01"), 200)
    assert past["data"] == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("from=2026-02-01&to=2026-01-31", {"to": "before_from"}),
        ("from=2020-01-01&to=2026-01-01", {"from": "range_too_long"}),
        ("from=soon", {"from": "invalid_date"}),
        ("day=1", {"day": "unknown_field"}),
    ],
)
def test_usage_names_what_is_wrong_with_the_question(desk: Desk, query: str, fields: dict[str, str]) -> None:
    assert refused_fields(desk.workspace.admin.get(f"/plan/usage?{query}")) == fields


def test_a_person_needs_a_seat_and_a_robot_none(desk: Desk, database_url: str) -> None:
    desk.on(Plan(seats=2))
    desk.workspace.token("viewer")
    people = [house.finished(add_person(database_url, f"{desk.id}-{n}@example.com")) for n in range(8)]

    def join(number: int) -> str:
        async def work(tx: Transaction) -> str:
            await add_member(tx, people[number], "viewer")
            return "in"

        try:
            return desk.within(work)
        except Problem as refused:
            return refused.code

    outcomes = at_once([desk.workspace.admin] * 8, lambda _, number: join(number))
    assert sorted(outcomes) == ["in"] + ["seat_limit_reached"] * 7
    assert desk.plan()["usage"]["seats"] == 2


def test_no_more_webhooks_are_made_than_the_plan_has(desk: Desk) -> None:
    desk.on(Plan(webhooks=2))
    body = {"url": "http://127.0.0.1:9/hooks"}
    answers = at_once([desk.workspace.admin] * 8, lambda client, _: client.post("/webhooks", json=body))
    assert statuses(answers) == {201: 2, 403: 6}
    problem(desk.workspace.admin.post("/webhooks", json=body), 403, "webhook_limit_reached")
    [first, _] = answered(desk.workspace.admin.get("/webhooks"), 200)["data"]
    answered(desk.workspace.admin.delete(f"/webhooks/{first['id']}"), 204)
    answered(desk.workspace.admin.post("/webhooks", json=body), 201)
    assert desk.plan()["usage"]["webhooks"] == 2


def test_a_burst_is_cut_over_two_processes(desk: Desk, database_url: str, tmp_path: Path) -> None:
    configuration = replace(configured(database_url, tmp_path), burst_per_second=20, jobs_at_once=0)
    token, path = desk.workspace.token("viewer"), f"/v1/workspaces/{desk.workspace.slug}/instruments"
    with serving(configuration) as one, serving(configuration) as two:
        headers = {"Authorization": f"Bearer {token}"}
        clients = [httpx.Client(base_url=url, headers=headers, timeout=60) for url in (one, two) * 8]
        begun = datetime.now(UTC)
        found = at_once(clients, lambda client, _: [client.get(path) for _ in range(10)])
        seconds = (datetime.now(UTC) - begun).total_seconds()
        answers = [answer for each in found for answer in each]
        passed = sum(answer.status_code == 200 for answer in answers)
        assert 20 <= passed <= 20 + 20 * seconds + 1
        refused = [answer for answer in answers if answer.status_code == 429]
        for answer in refused:
            problem(answer, 429, "burst_limit_exceeded")
            assert answer.headers["retry-after"] == "1"
            assert "x-ratelimit-limit" in answer.headers
        assert refused or seconds > 6
        other = httpx.get(f"{two}{path}", headers={"Authorization": f"Bearer {desk.workspace.token('viewer')}"})
        assert other.status_code == 200
