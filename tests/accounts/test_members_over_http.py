"""Members as admins see and change them, and what a race of admins leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.accounts.persons import colleague
from tests.crowd import at_once
from tests.product import Workspace, answered, problem, refused_fields

Events = Callable[..., list[dict[str, Any]]]


def mine(workspace: Workspace, secret: str) -> dict[str, Any]:
    return answered(workspace.client(secret).get("/memberships/me"), 200)


def test_members_are_filtered_sorted_counted_and_searched(workspace: Workspace, product_database_url: str) -> None:
    email, _ = colleague(workspace, product_database_url, "editor")
    assert workspace.robot
    asked = {"filter": {"or": [{"field": "role", "op": "in", "value": ["editor", "admin"]}]}, "type": "human"}
    found = answered(workspace.admin.post("/memberships/filter", json={**asked, "sort": [{"field": "role"}]}), 200)
    assert [each["role"] for each in found["data"]] == ["admin", "editor"]
    assert answered(workspace.admin.post("/memberships/count", json={"type": "robot"}), 200) == {"count": 1}
    by_name = answered(workspace.admin.post("/memberships/filter", json={"q": "robot"}), 200)["data"]
    assert [(each["name"], each["email"]) for each in by_name] == [("member robot", None)]
    [listed] = answered(workspace.admin.get("/memberships?role=editor"), 200)["data"]
    assert listed["email"] == email
    assert refused_fields(workspace.admin.post("/memberships/filter", json={"role": "owner"})) == {
        "role": "invalid_choice"
    }


def test_the_filter_of_members_is_walked_in_pages(workspace: Workspace) -> None:
    for number in range(5):
        answered(workspace.admin.post("/memberships/robots", json={"name": f"robot {number}"}), 201)
    body: dict[str, Any] = {"type": "robot", "limit": 2, "sort": [{"field": "name", "direction": "desc"}]}
    seen: list[str] = []
    while True:
        page = answered(workspace.admin.post("/memberships/filter", json=body), 200)
        seen += [each["name"] for each in page["data"]]
        if not page["meta"]["has_more"]:
            break
        body["after"] = page["meta"]["next_cursor"]
    assert seen == [f"robot {number}" for number in (4, 3, 2, 1, 0)]


def test_filtering_members_shows_nobody_of_another_workspace(new_workspace: Callable[[], Workspace]) -> None:
    one, other = new_workspace(), new_workspace()
    other.token("viewer")
    assert answered(one.admin.post("/memberships/count", json={}), 200) == {"count": 1}
    problem(one.robot.post("/memberships/filter", json={}), 403, "forbidden")


def test_a_member_is_changed_in_the_version_that_was_seen(workspace: Workspace, product_database_url: str) -> None:
    _, secret = colleague(workspace, product_database_url, "viewer")
    one = f"/memberships/{mine(workspace, secret)['id']}"
    seen = {"If-Match": workspace.admin.get(one).headers["etag"]}
    assert answered(workspace.admin.patch(one, json={"role": "editor"}, headers=seen), 200)["role"] == "editor"
    problem(workspace.admin.patch(one, json={"role": "member"}, headers=seen), 412, "precondition_failed")
    problem(workspace.admin.delete(one, headers=seen), 412, "precondition_failed")
    assert (
        workspace.admin.delete(one, headers={"If-Match": workspace.admin.get(one).headers["etag"]}).status_code == 204
    )


def test_a_person_leaves_by_themselves(workspace: Workspace, product_database_url: str, events: Events) -> None:
    email, secret = colleague(workspace, product_database_url, "viewer")
    client = workspace.client(secret)
    assert client.delete("/memberships/me").status_code == 204
    problem(client.get(""), 404, "workspace_not_found")
    [event] = events(event_type="membership.deleted")
    assert (event["resource_identifier"], event["actor_name"]) == (email, email)


def test_neither_the_last_admin_nor_a_robot_leaves(workspace: Workspace) -> None:
    problem(workspace.admin.delete("/memberships/me"), 409, "last_admin")
    problem(workspace.robot.delete("/memberships/me"), 403, "humans_only")
    assert answered(workspace.robot.get("/memberships/me"), 200)["type"] == "robot"


@pytest.mark.parametrize("way", ["demote", "remove"])
def test_two_admins_who_turn_on_each_other_at_once_leave_one(
    workspace: Workspace, product_database_url: str, way: str
) -> None:
    _, secret = colleague(workspace, product_database_url, "admin")
    ids = [mine(workspace, each)["id"] for each in (workspace.admin_token, secret)]
    clients = [workspace.admin, workspace.client(secret)]
    answers = at_once(
        clients,
        lambda client, number: (
            client.patch(f"/memberships/{ids[1 - number]}", json={"role": "viewer"})
            if way == "demote"
            else client.delete(f"/memberships/{ids[1 - number]}")
        ),
    )
    codes = sorted(answer.status_code for answer in answers)
    assert codes[0] in (200, 204) and codes[1] in (403, 404, 409), codes
    [left] = [client for client in clients if client.get("/memberships").status_code == 200]
    admins = answered(left.get("/memberships?role=admin"), 200)["data"]
    assert len(admins) == 1


def test_a_robot_gets_another_name_and_another_role(workspace: Workspace, events: Events) -> None:
    robot = answered(workspace.admin.post("/memberships/robots", json={"name": "loader"}), 201)
    one = f"/memberships/robots/{robot['id']}"
    changed = answered(workspace.admin.patch(one, json={"name": "night loader", "role": "member"}), 200)
    assert (changed["name"], changed["role"]) == ("night loader", "member")
    answered(workspace.admin.patch(one, json={"name": "night loader"}), 200)
    answered(workspace.admin.patch(one, json={}), 200)
    told = [event["changes"] for event in events(event_type="membership.updated")]
    assert told == [
        {"role": {"from": "viewer", "to": "member"}},
        {"name": {"from": "loader", "to": "night loader"}},
    ]
    assert refused_fields(workspace.admin.patch(one, json={"role": "editor"})) == {"role": "invalid_role"}
    assert refused_fields(workspace.admin.patch(one, json={"name": " "})) == {"name": "invalid_name"}
    problem(workspace.robot.patch(one, json={"name": "x"}), 403, "forbidden")
