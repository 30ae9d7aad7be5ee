"""Accounts as clients see them: who is answered what, and in which order refusals come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from ptolemy.api.gate import SLOW_SECONDS
from tests.product import PATIENCE_SECONDS, Workspace, answered, problem, refused_fields

Events = Callable[..., list[dict[str, Any]]]


def test_a_new_workspace_has_its_creator_as_admin_and_three_listing_statuses(workspace: Workspace) -> None:
    shown = answered(workspace.admin.get(""), 200)
    assert (shown["slug"], shown["role"], shown["plan"]) == (workspace.slug, "admin", "enterprise")
    by_id = workspace.admin.get(f"{workspace.url}/v1/workspaces/{shown['id']}")
    assert answered(by_id, 200) == shown
    statuses = answered(workspace.admin.get("/market-listing-statuses"), 200)["data"]
    assert {status["identifier"]: status["is_tradable"] for status in statuses} == {
        "active": True,
        "halted": False,
        "delisted": False,
    }


def test_workspaces_are_listed_for_their_members_only(new_workspace: Callable[[], Workspace]) -> None:
    mine, other = new_workspace(), new_workspace()
    listed = answered(mine.robot.get(f"{mine.url}/v1/workspaces"), 200)["data"]
    assert [(each["slug"], each["role"]) for each in listed] == [(mine.slug, "member")]
    problem(mine.robot.get(f"{mine.url}/v1/workspaces/{other.slug}"), 404, "workspace_not_found")


def test_a_workspace_is_renamed_by_an_admin(workspace: Workspace, events: Events) -> None:
    assert answered(workspace.admin.patch("", json={"name": "Acme"}), 200)["name"] == "Acme"
    answered(workspace.admin.patch("", json={}), 200)
    [event] = events(event_type="workspace.updated")
    assert event["changes"] == {"name": {"from": workspace.slug, "to": "Acme"}}
    assert refused_fields(workspace.admin.patch("", json={"name": " "})) == {"name": "invalid_name"}
    problem(workspace.robot.patch("", json={"name": "Ours"}), 403, "forbidden")


def test_a_robot_creates_no_workspace(workspace: Workspace) -> None:
    problem(workspace.robot.post(f"{workspace.url}/v1/workspaces", json={"slug": "mine"}), 403, "humans_only")


def test_a_robots_token_is_shown_once_and_known_by_its_suffix(workspace: Workspace, events: Events) -> None:
    robot = answered(workspace.admin.post("/memberships/robots", json={"name": "loader", "role": "member"}), 201)
    made = workspace.admin.post(f"/memberships/robots/{robot['id']}/tokens", json={"name": "nightly"})
    token = answered(made, 201)
    assert made.headers["cache-control"] == "no-store"
    [listed] = answered(workspace.admin.get(f"/memberships/robots/{robot['id']}/tokens"), 200)["data"]
    assert listed == {name: value for name, value in token.items() if name != "token"}
    assert (listed["state"], token["token"][-len(listed["token_suffix"]) :]) == ("active", listed["token_suffix"])
    [event] = events(event_type="token.created")
    assert token["token"] not in str(event)


def test_a_revoked_token_gets_a_401(workspace: Workspace) -> None:
    robot = answered(workspace.admin.post("/memberships/robots", json={"name": "loader"}), 201)
    tokens = f"/memberships/robots/{robot['user_id']}/tokens"
    token = answered(workspace.admin.post(tokens, json={}), 201)
    client = workspace.client(token["token"])
    answered(client.get("/instruments"), 200)
    assert workspace.admin.delete(f"{tokens}/{token['id']}").status_code == 204
    refusal = client.get("/instruments")
    problem(refusal, 401, "token_revoked")
    assert refusal.headers["www-authenticate"].startswith("Bearer")


def test_removing_a_robots_membership_ends_its_tokens(workspace: Workspace, events: Events) -> None:
    client = workspace.robot
    answered(client.get("/instruments"), 200)
    [robot] = answered(workspace.admin.get("/memberships/robots"), 200)["data"]
    assert workspace.admin.delete(f"/memberships/{robot['membership_id']}").status_code == 204
    problem(client.get("/instruments"), 401, "token_revoked")
    assert answered(workspace.admin.get("/memberships/robots"), 200)["data"] == []
    assert len(events(event_type="token.deleted")) == len(events(event_type="membership.deleted")) == 1


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/instruments", "application/json"), ("/imports", "multipart/form-data; boundary=b")],
)
def test_a_body_that_comes_slowly_does_not_outlive_the_access(
    workspace: Workspace, path: str, content_type: str
) -> None:
    """A request that was begun in time, and kept waiting for its last byte, would open the door long after."""
    client = workspace.robot
    [robot] = answered(workspace.admin.get("/memberships/robots"), 200)["data"]

    def body() -> Iterator[bytes]:
        yield b"{" if path == "/instruments" else b"--b"
        assert workspace.admin.delete(f"/memberships/{robot['membership_id']}").status_code == 204
        until = time.monotonic() + SLOW_SECONDS
        while time.monotonic() < until:
            answered(workspace.admin.get("/instruments"), 200)
        yield b"}" if path == "/instruments" else b"--\r\n"

    answer = client.post(path, content=body(), headers={"content-type": content_type})
    problem(answer, 401, "token_revoked")


def test_a_part_that_comes_slowly_does_not_outlive_the_access(workspace: Workspace) -> None:
    client = workspace.robot
    [robot] = answered(workspace.admin.get("/memberships/robots"), 200)["data"]
    upload = answered(client.post("/uploads", json={"file_name": "prices.csv"}), 201)

    def body() -> Iterator[bytes]:
        yield b"a"
        assert workspace.admin.delete(f"/memberships/{robot['membership_id']}").status_code == 204
        until = time.monotonic() + SLOW_SECONDS
        while time.monotonic() < until:
            answered(workspace.admin.get("/instruments"), 200)
        yield b"b"

    problem(client.put(f"/uploads/{upload['id']}/parts/1", content=body()), 401, "token_revoked")
    assert answered(workspace.admin.get(f"/uploads/{upload['id']}"), 200)["parts"] == []


def test_the_only_admin_stays(workspace: Workspace) -> None:
    [admin] = answered(workspace.admin.get("/memberships"), 200)["data"]
    problem(workspace.admin.delete(f"/memberships/{admin['id']}"), 409, "last_admin")
    problem(workspace.admin.patch(f"/memberships/{admin['id']}", json={"role": "viewer"}), 409, "last_admin")


def test_a_changed_role_counts_at_once(workspace: Workspace) -> None:
    client = workspace.robot
    [robot] = answered(workspace.admin.get("/memberships/robots"), 200)["data"]
    one = f"/memberships/{robot['membership_id']}"
    assert answered(workspace.admin.patch(one, json={"role": "viewer"}), 200)["role"] == "viewer"
    problem(client.post("/instruments", json={}), 403, "forbidden")
    assert refused_fields(workspace.admin.patch(one, json={"role": "editor"})) == {"role": "invalid_role"}


def test_members_come_in_pages(workspace: Workspace) -> None:
    for number in range(4):
        answered(workspace.admin.post("/memberships/robots", json={"name": f"robot {number}"}), 201)
    seen, after = [], None
    while True:
        parameters = {"limit": 2, **({"after": after} if after else {})}
        page = answered(workspace.admin.get("/memberships", params=parameters), 200)
        seen += [each["id"] for each in page["data"]]
        after = page["meta"]["next_cursor"]
        if not page["meta"]["has_more"]:
            break
    assert len(seen) == len(set(seen)) == 5
    assert "warnings" in answered(workspace.admin.get("/memberships?limit=201"), 200)
    problem(workspace.admin.get("/memberships?after=forged"), 400, "invalid_cursor")


@pytest.mark.parametrize(
    "path", ["/memberships", "/memberships/robots", "/memberships/0190aaaa-0000-7000-8000-00000000abcd"]
)
def test_members_are_the_admins_business(workspace: Workspace, path: str) -> None:
    problem(workspace.robot.get(path), 403, "forbidden")
    problem(workspace.client(None).get(path), 401, "unauthorized")


@pytest.mark.parametrize("unknown", ["0190aaaa-0000-7000-8000-00000000abcd", "no-uuid", "%00"])
def test_an_unknown_member_robot_or_token_is_not_found(workspace: Workspace, unknown: str) -> None:
    problem(workspace.admin.get(f"/memberships/{unknown}"), 404, "not_found")
    problem(workspace.admin.delete(f"/memberships/{unknown}"), 404, "not_found")
    problem(workspace.admin.get(f"/memberships/robots/{unknown}"), 404, "not_found")
    problem(workspace.admin.post(f"/memberships/robots/{unknown}/tokens", json={}), 404, "not_found")


def test_signing_in_refreshing_and_signing_out(workspace: Workspace) -> None:
    me = answered(workspace.admin.get(f"{workspace.url}/v1/auth/me"), 200)
    assert me["type"] == "human"
    wrong = httpx.post(f"{workspace.url}/v1/auth/login", json={"email": me["email"], "password": "wrong password"})
    problem(wrong, 401, "invalid_credentials")
    login = {"email": me["email"], "password": "a password for tests"}
    answer = httpx.post(f"{workspace.url}/v1/auth/login", json=login)
    tokens = answered(answer, 200)
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["cache-control"] == "no-store"
    refreshed = httpx.post(f"{workspace.url}/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    client = workspace.client(answered(refreshed, 200)["access_token"])
    problem(workspace.client(tokens["access_token"]).get(""), 401, "invalid_token")
    assert client.post(f"{workspace.url}/v1/auth/logout").status_code == 204
    problem(client.get(""), 401, "invalid_token")


def test_an_account_has_an_e_mail_and_a_password_and_nothing_to_get_in_by_besides(product_url: str) -> None:
    """No hints, no questions that others could answer, and no e-mail that somebody could change to their own."""
    document = answered(httpx.get(f"{product_url}/v1/openapi.json", timeout=PATIENCE_SECONDS), 200)
    taken: set[str] = set()
    for path, methods in document["paths"].items():
        for said in methods.values():
            content = said.get("requestBody", {}).get("content", {}) if path.startswith("/v1/auth/") else {}
            for body in content.values():
                name = body["schema"]["$ref"].rpartition("/")[2]
                taken |= document["components"]["schemas"][name]["properties"].keys()
    passwords = {"password", "current_password", "new_password"}
    assert taken == {"email", "name", "cookie", "token", "refresh_token", *passwords}
    assert document["paths"]["/v1/auth/me"].keys() == {"get"}


def test_a_robot_has_no_session_to_end(workspace: Workspace) -> None:
    problem(workspace.robot.post(f"{workspace.url}/v1/auth/logout"), 403, "humans_only")
    assert answered(workspace.robot.get(f"{workspace.url}/v1/auth/me"), 200)["email"] is None
