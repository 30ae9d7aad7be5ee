"""Robots' tokens: replaced without a gap, and refused everywhere at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ptolemy.kernel.timestamps import parse_timestamp
from tests.product import Workspace, answered, problem, refused_fields
from tests.serving import configured, serving

Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def tokens(workspace: Workspace) -> str:
    robot = answered(workspace.admin.post("/memberships/robots", json={"name": "loader"}), 201)
    return f"/memberships/robots/{robot['id']}/tokens"


def test_a_replaced_token_works_on_until_the_overlap_ends(workspace: Workspace, tokens: str, events: Events) -> None:
    old = answered(workspace.admin.post(tokens, json={"name": "nightly"}), 201)
    answer = workspace.admin.post(f"{tokens}/{old['id']}/rotate", json={"overlap_seconds": 3600})
    new = answered(answer, 201)
    assert answer.headers["cache-control"] == "no-store"
    assert (new["name"], new["expires_at"]) == ("nightly", None)
    for secret in (old["token"], new["token"]):
        answered(workspace.client(secret).get(""), 200)
    shown = answered(workspace.admin.get(f"{tokens}/{old['id']}"), 200)
    ends = parse_timestamp(shown["expires_at"])
    assert timedelta(0) < ends - datetime.now(UTC) <= timedelta(hours=1)
    assert (
        answered(workspace.admin.get(answer.headers["location"].partition(workspace.slug)[2]), 200)["id"] == new["id"]
    )
    [event] = events(event_type="token.updated")
    assert event["changes"]["expires_at"] == {"from": None, "to": shown["expires_at"]}


def test_a_token_replaced_without_an_overlap_ends_at_once(workspace: Workspace, tokens: str, events: Events) -> None:
    old = answered(workspace.admin.post(tokens, json={}), 201)
    answered(workspace.admin.post(f"{tokens}/{old['id']}/rotate", json={"overlap_seconds": 0}), 201)
    problem(workspace.client(old["token"]).get(""), 401, "token_revoked")
    assert len(events(event_type="token.deleted")) == 1
    again = workspace.admin.post(f"{tokens}/{old['id']}/rotate", json={})
    problem(again, 409, "token_not_active")


def test_a_token_is_replaced_once_also_by_many_at_once(workspace: Workspace, tokens: str) -> None:
    """The second would live no longer than the overlap, and nobody would know of the first."""
    old = answered(workspace.admin.post(tokens, json={}), 201)
    rotate = f"{tokens}/{old['id']}/rotate"
    with ThreadPoolExecutor(4) as pool:
        answers = [each.result() for each in [pool.submit(workspace.admin.post, rotate, json={}) for _ in range(4)]]
    [new] = [answer for answer in answers if answer.status_code == 201]
    assert new.json()["expires_at"] is None
    for answer in answers:
        if answer is not new:
            problem(answer, 409, "token_replaced")
    answered(workspace.client(old["token"]).get(""), 200)
    answered(workspace.admin.post(f"{tokens}/{new.json()['id']}/rotate", json={}), 201)


def test_an_overlap_never_lengthens_a_tokens_life_and_the_new_one_lives_as_long(
    workspace: Workspace, tokens: str
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    old = answered(workspace.admin.post(tokens, json={"expires_at": soon.isoformat()}), 201)
    new = answered(workspace.admin.post(f"{tokens}/{old['id']}/rotate", json={}), 201)
    assert answered(workspace.admin.get(f"{tokens}/{old['id']}"), 200)["expires_at"] == old["expires_at"]
    lives = [parse_timestamp(each["expires_at"]) - parse_timestamp(each["created_at"]) for each in (old, new)]
    assert abs(lives[0] - lives[1]) < timedelta(seconds=10)


def test_what_can_not_be_replaced_is_told(workspace: Workspace, tokens: str) -> None:
    old = answered(workspace.admin.post(tokens, json={}), 201)
    rotate = f"{tokens}/{old['id']}/rotate"
    for body, field in (
        ({"overlap_seconds": -1}, "overlap_seconds"),
        ({"overlap_seconds": 10**9}, "overlap_seconds"),
        ({"overlap_seconds": "3"}, "overlap_seconds"),
        ({"expires_at": "2001-01-01"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
    ):
        assert list(refused_fields(workspace.admin.post(rotate, json=body))) == [field]
    for unknown in ("no-uuid", "0190aaaa-0000-7000-8000-00000000abcd"):
        problem(workspace.admin.post(f"{tokens}/{unknown}/rotate", json={}), 404, "not_found")
        problem(workspace.admin.get(f"{tokens}/{unknown}"), 404, "not_found")
    problem(workspace.robot.post(rotate, json={}), 403, "forbidden")


def test_a_revocation_bites_at_once_in_every_process(
    workspace: Workspace, tokens: str, product_database_url: str, product_files: Path
) -> None:
    made = answered(workspace.admin.post(tokens, json={}), 201)
    with serving(configured(product_database_url, product_files)) as other:
        address, headers = f"{other}/v1/workspaces/{workspace.slug}", {"Authorization": f"Bearer {made['token']}"}
        with httpx.Client(headers=headers) as client:
            for _ in range(5):
                answered(client.get(address), 200)
            assert workspace.admin.delete(f"{tokens}/{made['id']}").status_code == 204
            problem(client.get(address), 401, "token_revoked")
