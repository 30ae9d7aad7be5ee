"""Webhooks as a resource: who may do what, what is shown, what is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.product import Workspace, answered, problem, refused_fields
from tests.webhooks.receiver import Receiver

Body = dict[str, Any]
Hook = Callable[..., Body]
URL = "http://127.0.0.1:9/hooks"


def test_a_webhook_is_made_without_subscriptions_and_shows_its_secret_once(
    workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    response = workspace.admin.post("/webhooks", json={"url": URL, "description": "Prices"})
    made = answered(response, 201)
    secret = made.pop("secret")
    assert response.headers["cache-control"] == "no-store"
    assert secret.startswith("whsec_") and len(secret) == 6 + 44
    path = f"/webhooks/{made['id']}"
    assert response.headers["location"].endswith(path)
    read = workspace.robot.get(path)
    assert answered(read, 200) == made
    assert read.headers["etag"] == response.headers["etag"]
    assert (made["active"], made["deactivated_at"], made["deactivated_reason"]) == (True, None, None)
    assert answered(workspace.robot.get(f"{path}/subscriptions"), 200)["data"] == []
    [event] = events(resource_id=made["id"])
    assert event["event_type"] == "webhook.created"
    assert event["changes"]["url"] == {"from": None, "to": URL}
    assert secret not in str(event)


def test_a_secret_lies_in_no_table_as_it_is(workspace: Workspace, product_database_url: str, execute: Any) -> None:
    made = workspace.create("webhooks", url=URL)
    rotated = answered(workspace.admin.post(f"/webhooks/{made['id']}/rotate-secret"), 200)
    for secret in (made["secret"], rotated["secret"]):
        for table in ("webhook_secrets", "webhooks", "events", "idempotency_keys"):
            assert not execute(f"select 1 from {table} t where position($1 in t::text) > 0", secret)
            hexed = secret.encode().hex()
            assert not execute(f"select 1 from {table} t where position($1 in t::text) > 0", hexed)


def test_webhooks_are_listed_filtered_and_counted(workspace: Workspace) -> None:
    made = [workspace.create("webhooks", url=f"{URL}/{number}") for number in range(3)]
    answered(workspace.admin.patch(f"/webhooks/{made[1]['id']}", json={"active": False}), 200)
    ids = [webhook["id"] for webhook in made]
    page = answered(workspace.robot.get("/webhooks", params={"limit": 2}), 200)
    rest = answered(workspace.robot.get("/webhooks", params={"after": page["meta"]["next_cursor"]}), 200)
    assert [webhook["id"] for webhook in [*page["data"], *rest["data"]]] == ids
    active = answered(workspace.robot.get("/webhooks", params={"active": "true"}), 200)["data"]
    assert [webhook["id"] for webhook in active] == [ids[0], ids[2]]
    condition = {"filter": {"field": "url", "op": "like", "value": "/2"}}
    [found] = answered(workspace.robot.post("/webhooks/filter", json=condition), 200)["data"]
    assert found["id"] == ids[2]
    assert answered(workspace.robot.post("/webhooks/count", json=condition), 200) == {"count": 1}


def test_a_change_of_another_version_is_refused(workspace: Workspace) -> None:
    made = workspace.admin.post("/webhooks", json={"url": URL})
    path, known = f"/webhooks/{answered(made, 201)['id']}", made.headers["etag"]
    change = {"description": "other"}
    answered(workspace.admin.patch(path, json=change, headers={"if-match": known}), 200)
    for body in ({"description": "late"}, {"url": f"{URL}/late"}):
        stale = workspace.admin.patch(path, json=body, headers={"if-match": known})
        problem(stale, 412, "precondition_failed")
    problem(workspace.admin.delete(path, headers={"if-match": known}), 412, "precondition_failed")


def test_who_is_switched_off_says_since_when(workspace: Workspace) -> None:
    path = f"/webhooks/{workspace.create('webhooks', url=URL)['id']}"
    off = answered(workspace.admin.patch(path, json={"active": False}), 200)
    assert off["deactivated_at"] is not None
    on = answered(workspace.admin.patch(path, json={"active": True}), 200)
    assert on["deactivated_at"] is None


def test_a_webhook_is_removed_with_its_subscriptions(
    workspace: Workspace, receiver: Receiver, hook: Hook, events: Callable[..., list[Body]]
) -> None:
    made = hook(receiver, "*")
    assert workspace.admin.delete(f"/webhooks/{made['id']}").status_code == 204
    problem(workspace.admin.get(f"/webhooks/{made['id']}"), 404, "not_found")
    problem(workspace.admin.get(f"/webhooks/{made['id']}/subscriptions"), 404, "not_found")
    problem(workspace.admin.get(f"/webhooks/{made['id']}/deliveries"), 404, "not_found")
    assert events(resource_id=made["id"], event_type="webhook.deleted")


def paths(webhook: Body) -> list[tuple[str, str]]:
    """Every way to write."""
    one = f"/webhooks/{webhook['id']}"
    return [
        ("POST", "/webhooks"),
        ("PATCH", one),
        ("DELETE", one),
        ("POST", f"{one}/rotate-secret"),
        ("POST", f"{one}/test"),
        ("POST", f"{one}/redeliver"),
        ("POST", f"{one}/deliveries/{uuid4()}/redeliver"),
        ("POST", f"{one}/subscriptions"),
        ("PUT", f"{one}/subscriptions"),
        ("DELETE", f"{one}/subscriptions/{uuid4()}"),
    ]


def test_viewers_read_and_admins_write(workspace: Workspace) -> None:
    made = workspace.create("webhooks", url=URL)
    viewer = workspace.client(workspace.token("viewer"))
    for path in ("", f"/{made['id']}", f"/{made['id']}/subscriptions", f"/{made['id']}/deliveries"):
        answered(viewer.get(f"/webhooks{path}"), 200)
    answered(viewer.post("/webhooks/filter", json={}), 200)
    for client in (viewer, workspace.robot):
        for method, path in paths(made):
            problem(client.request(method, path, json={}), 403, "forbidden")


def test_another_workspace_sees_no_webhook(workspace: Workspace, new_workspace: Callable[[], Workspace]) -> None:
    made, other = workspace.create("webhooks", url=URL), new_workspace()
    assert answered(other.admin.get("/webhooks"), 200)["data"] == []
    one = f"/webhooks/{made['id']}"
    for path in (one, f"{one}/subscriptions", f"{one}/deliveries", f"{one}/deliveries/{uuid4()}"):
        problem(other.admin.get(path), 404, "not_found")
    bodies: dict[str, Any] = {"PUT": [], "PATCH": {}}
    for method, path in paths(made)[1:]:
        body = bodies.get(method, {"event_type": "*"} if path.endswith("subscriptions") else None)
        body = {"failed_since": "2026-01-01"} if path == f"{one}/redeliver" else body
        problem(
            other.admin.request(method, path, json=body) if body is not None else other.admin.request(method, path),
            404,
            "not_found",
        )


def test_subscriptions_come_and_go(workspace: Workspace, events: Callable[..., list[Body]]) -> None:
    made = workspace.create("webhooks", url=URL)
    path = f"/webhooks/{made['id']}/subscriptions"
    response = workspace.admin.post(path, json={"event_type": "instrument.*"})
    first = answered(response, 201)
    assert response.headers["location"].endswith(f"{path}/{first['id']}")
    problem(workspace.admin.post(path, json={"event_type": "instrument.*"}), 409, "duplicate")
    kept = answered(workspace.admin.put(path, json=["instrument.*", {"event_type": "series.created"}, "*"]), 200)[
        "data"
    ]
    assert kept[0] == first
    assert sorted(each["event_type"] for each in kept) == ["*", "instrument.*", "series.created"]
    assert workspace.admin.delete(f"{path}/{first['id']}").status_code == 204
    problem(workspace.admin.delete(f"{path}/{first['id']}"), 404, "not_found")
    left = answered(workspace.robot.get(path, params={"limit": 1}), 200)
    after = {"after": left["meta"]["next_cursor"]}
    assert {
        each["event_type"] for each in [*left["data"], *answered(workspace.robot.get(path, params=after), 200)["data"]]
    } == {
        "*",
        "series.created",
    }
    assert answered(workspace.admin.put(path, json=[]), 200)["data"] == []
    told = [event["changes"]["subscriptions"]["to"] for event in events(event_type="webhook.updated")]
    assert told == [
        ["instrument.*"],
        ["*", "instrument.*", "series.created"],
        ["*", "series.created"],
        [],
    ]


@pytest.mark.parametrize(
    "event_type", ["instrument", "instrument.creatd", "nothing.*", "*.*", "", "Instrument.created"]
)
def test_an_event_type_that_there_is_not_is_refused_with_those_that_there_are(
    workspace: Workspace, event_type: str
) -> None:
    path = f"/webhooks/{workspace.create('webhooks', url=URL)['id']}/subscriptions"
    response = workspace.admin.post(path, json={"event_type": event_type})
    assert refused_fields(response) == {"event_type": "unknown_event_type"}
    assert "instrument.created, instrument.deleted" in response.json()["detail"]
    second = workspace.admin.put(path, json=["*", event_type])
    assert refused_fields(second) == {"1.event_type": "unknown_event_type"}
    assert answered(workspace.admin.get(path), 200)["data"] == []


def test_a_creation_that_is_sent_again_makes_one_webhook(workspace: Workspace) -> None:
    headers = {"idempotency-key": "once"}
    made = answered(workspace.admin.post("/webhooks", json={"url": URL}, headers=headers), 201)
    again = workspace.admin.post("/webhooks", json={"url": URL}, headers=headers)
    assert made["id"] in problem(again, 409, "idempotency_key_used")["location"]
    assert len(answered(workspace.admin.get("/webhooks"), 200)["data"]) == 1
