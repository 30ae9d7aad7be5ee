"""Events are listed in an order to rely on, found, counted and read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.product import Workspace, answered, problem, refused_fields, wait_for

Body = dict[str, Any]


def listed(workspace: Workspace, **params: object) -> list[Body]:
    asked: dict[str, Any] = {"limit": 200, **params}
    found: list[Body] = answered(workspace.robot.get("/events", params=asked), 200)["data"]
    return found


def types(found: list[Body]) -> list[str]:
    return [event["event_type"] for event in found]


def settled(workspace: Workspace, event_type: str) -> list[Body]:
    """The events of a type once all of them can be told: writers of other tests hold the feed back for a moment."""
    count = answered(workspace.robot.post("/events/count", json={"filter": _is(event_type)}), 200)["count"]
    return wait_for(lambda: found if len(found := listed(workspace, event_type=event_type)) == count else None)


def _is(event_type: str) -> Body:
    return {"field": "event_type", "op": "eq", "value": event_type}


def test_an_event_says_what_happened_to_which_record_by_whom_in_which_request(workspace: Workspace) -> None:
    workspace.equity()
    headers = {"X-Request-Id": "my-request"}
    body = {"identifier": "bhp", "name": "BHP", "type_id": "equity"}
    created = answered(workspace.robot.post("/instruments", json=body, headers=headers), 201)
    [event] = settled(workspace, "instrument.created")
    robot = answered(workspace.admin.get("/memberships/robots"), 200)["data"][0]
    assert event == {
        "id": event["id"],
        "position": event["position"],
        "event_type": "instrument.created",
        "resource_type": "instrument",
        "resource_id": created["id"],
        "resource_identifier": "bhp",
        "request_id": "my-request",
        "actor": {"type": "robot", "id": robot["user_id"], "name": robot["name"]},
        "changes": event["changes"],
        "created_at": event["created_at"],
    }
    assert event["changes"]["name"] == {"from": None, "to": "BHP"}
    assert answered(workspace.robot.get(f"/events/{event['id']}"), 200) == event


def test_positions_only_grow_and_after_takes_one(workspace: Workspace) -> None:
    for number in range(3):
        workspace.create("series", identifier=f"s{number}")
    found = settled(workspace, "series.created")
    positions = [event["position"] for event in found]
    assert positions == sorted(positions)
    assert listed(workspace, event_type="series.created", after=positions[0]) == found[1:]
    assert listed(workspace, event_type="series.created", after=positions[-1]) == []


def test_a_page_behind_a_position_goes_on_by_cursor(workspace: Workspace) -> None:
    for number in range(4):
        workspace.create("series", identifier=f"s{number}")
    found = settled(workspace, "series.created")
    params: dict[str, Any] = {"event_type": "series.created", "limit": 2}
    first = answered(workspace.robot.get("/events", params={**params, "after": found[0]["position"]}), 200)
    second = answered(workspace.robot.get("/events", params={**params, "after": first["meta"]["next_cursor"]}), 200)
    assert [*first["data"], *second["data"]] == found[1:]


@pytest.mark.parametrize("after", ["nonsense", "", "00000001-0000000000000001-nonsense"])
def test_what_is_neither_cursor_nor_position_is_a_400(workspace: Workspace, after: str) -> None:
    problem(workspace.robot.get("/events", params={"after": after}), 400, "invalid_cursor")


def test_events_are_found_by_record_actor_and_time(workspace: Workspace) -> None:
    first, second = (workspace.create("series", identifier=name) for name in ("a", "b"))
    assert answered(workspace.admin.patch("/series/a", json={"name": "A"}), 200)
    found = wait_for(lambda: each if len(each := listed(workspace, resource_id=first["id"])) == 2 else None)
    assert types(found) == ["series.created", "series.updated"]

    def filtered(field: str, op: str, value: object) -> list[Body]:
        asked = {"filter": {"field": field, "op": op, "value": value}, "sort": [{"field": "id", "direction": "desc"}]}
        page: list[Body] = answered(workspace.robot.post("/events/filter", json=asked), 200)["data"]
        return page

    assert filtered("resource_id", "eq", second["id"])[0]["resource_identifier"] == "b"
    assert len(filtered("actor_name", "like", "robot")) == 0
    assert "series.updated" in types(filtered("actor_type", "eq", "human"))
    assert "series.updated" not in types(filtered("position", "gt", found[-1]["position"]))
    assert "series.updated" in types(filtered("position", "gte", found[-1]["position"]))
    assert types(filtered("created_at", "lte", found[-1]["created_at"]))[0] == "series.updated"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_events_are_immutable(workspace: Workspace, method: str) -> None:
    workspace.create("series", identifier="a")
    [event] = settled(workspace, "series.created")
    for path in ("/events", f"/events/{event['id']}"):
        assert workspace.admin.request(method, path, json={}).status_code == 405


def test_another_workspace_has_events_of_its_own(workspace: Workspace, new_workspace: Any) -> None:
    workspace.create("series", identifier="a")
    [event] = settled(workspace, "series.created")
    other = new_workspace()
    problem(other.robot.get(f"/events/{event['id']}"), 404, "not_found")
    assert listed(other, after=event["position"], event_type="series.created") == []


def test_what_is_no_position_is_refused_in_a_filter(workspace: Workspace) -> None:
    asked = {"filter": {"field": "position", "op": "gt", "value": "first"}}
    assert refused_fields(workspace.robot.post("/events/filter", json=asked)) == {"filter.value": "invalid_position"}


def test_nothing_appears_in_the_feed_before_what_was_already_seen(workspace: Workspace) -> None:
    """Eight writers commit in any order; a reader that goes on from the last position misses none of their events."""
    done, written = threading.Event(), 25

    def write(writer: int) -> None:
        with workspace.client(workspace.admin_token) as client:
            for number in range(written):
                answered(client.post("/series", json={"identifier": f"s{writer}-{number}"}), 201)

    def read(client: httpx.Client) -> list[str]:
        seen: list[str] = []
        after: str | None = None
        while True:
            last = done.is_set()
            params: dict[str, Any] = {"event_type": "series.created", "limit": 7, **({"after": after} if after else {})}
            page = answered(client.get("/events", params=params), 200)["data"]
            seen += [event["position"] for event in page]
            after = page[-1]["position"] if page else after
            if last and not page and len(seen) >= 8 * written:
                return seen

    with ThreadPoolExecutor(9) as pool, workspace.client(workspace.token("viewer")) as client:
        reading = pool.submit(read, client)
        list(pool.map(write, range(8)))
        done.set()
        seen = reading.result(60)
    assert seen == sorted(set(seen))
    assert len(seen) == 8 * written
