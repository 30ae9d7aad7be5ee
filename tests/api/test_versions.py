"""`ETag`, `If-Match` and `If-None-Match`: nobody overwrites what they have not seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.crowd import at_once, crowd
from tests.lifecycle.stock import Stock, stock
from tests.product import Workspace, answered, problem

STALE = '"000000000000000000000000"'
BHP = "/instruments/bhp.ax"


@pytest.fixture
def shop(workspace: Workspace) -> Stock:
    return stock(workspace)


def etag(shop: Stock, path: str = BHP) -> str:
    response = shop.workspace.robot.get(path)
    assert response.status_code == 200
    return response.headers["etag"]


def test_an_etag_is_strong_and_names_the_state_of_the_record(shop: Stock) -> None:
    first = etag(shop)
    assert re.fullmatch(r'"[0-9a-f]{24}"', first)
    assert etag(shop) == first
    changed = shop.workspace.robot.patch(BHP, json={"name": "Changed"})
    assert changed.headers["etag"] == etag(shop) != first


@pytest.mark.parametrize("sent", ["{}", "W/{}", '"other", {}', "*"])
def test_a_version_that_the_client_has_is_not_sent_again(shop: Stock, sent: str) -> None:
    known = etag(shop)
    response = shop.workspace.robot.get(BHP, headers={"if-none-match": sent.format(known)})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", known)
    assert response.headers["x-request-id"]


@pytest.mark.parametrize("sent", [STALE, "", "nonsense", '"unfinished'])
def test_another_version_is_sent_whole(shop: Stock, sent: str) -> None:
    answered(shop.workspace.robot.get(BHP, headers={"if-none-match": sent}), 200)


@pytest.mark.parametrize("sent", ["{}", f"{STALE}, {{}}", f'W/"x" , {STALE},{{}}', "*"])
def test_a_change_of_the_version_that_is_there_is_made(shop: Stock, sent: str) -> None:
    headers = {"if-match": sent.format(etag(shop))}
    assert answered(shop.workspace.robot.patch(BHP, json={"name": "New"}, headers=headers), 200)["name"] == "New"


@pytest.mark.parametrize(
    "sent", [STALE, "W/{}", f"{STALE}, {STALE}", "nonsense", "", "{} trailing".replace("{}", STALE)]
)
def test_a_change_of_another_version_is_a_412_and_changes_nothing(
    shop: Stock, events: Callable[..., list[dict[str, Any]]], sent: str
) -> None:
    before, headers = etag(shop), {"if-match": sent.format(etag(shop))}
    robot, written = shop.workspace.robot, len(events())
    problem(robot.patch(BHP, json={"name": "New"}, headers=headers), 412, "precondition_failed")
    problem(robot.delete(BHP, headers=headers), 412, "precondition_failed")
    problem(robot.delete(f"{BHP}?hard=true&cascade=true", headers=headers), 412, "precondition_failed")
    assert (etag(shop), len(events())) == (before, written)


def test_two_headers_are_one_list(shop: Stock) -> None:
    headers = [("if-match", STALE), ("if-match", etag(shop))]
    answered(shop.workspace.robot.patch(BHP, json={"name": "New"}, headers=headers), 200)


def test_a_record_is_archived_and_deleted_in_the_version_that_is_there(shop: Stock) -> None:
    robot = shop.workspace.robot
    answered(robot.delete(BHP, headers={"if-match": etag(shop)}), 204)
    problem(robot.delete(BHP, headers={"if-match": STALE}), 412, "precondition_failed")
    answered(robot.delete(BHP, headers={"if-match": etag(shop)}), 204)
    path, known = f"{BHP}?hard=true&cascade=true", etag(shop)
    problem(robot.delete(path, headers={"if-match": STALE}), 412, "precondition_failed")
    answered(robot.delete(path, headers={"if-match": known}), 204)
    problem(robot.delete(path, headers={"if-match": known}), 404, "not_found")


def test_a_record_is_restored_in_the_version_that_is_there(shop: Stock) -> None:
    robot = shop.workspace.robot
    shop.archive("instruments", shop.instrument)
    problem(robot.post(f"{BHP}/restore", headers={"if-match": STALE}), 412, "precondition_failed")
    restored = robot.post(f"{BHP}/restore", headers={"if-match": etag(shop)})
    assert answered(restored, 200)["archived_at"] is None
    assert restored.headers["etag"] == etag(shop)


def test_a_suspension_is_deleted_in_the_version_that_is_there(shop: Stock) -> None:
    path = f"/market-listing-suspensions/{shop.suspension}"
    problem(shop.workspace.robot.delete(path, headers={"if-match": STALE}), 412, "precondition_failed")
    answered(shop.workspace.robot.delete(path, headers={"if-match": etag(shop, path)}), 204)


def test_one_of_many_changes_of_the_same_version_wins(shop: Stock, events: Callable[..., list[dict[str, Any]]]) -> None:
    known = {"if-match": etag(shop)}

    def ask(client: httpx.Client, number: int) -> httpx.Response:
        return client.patch(BHP, json={"name": f"Name {number}"}, headers=known)

    with crowd(shop.workspace) as clients:
        answers = at_once(clients, ask)
    [won] = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers if answer is not won} == {412}
    assert shop.get("instruments", "bhp.ax") == won.json()
    assert len(events(event_type="instrument.updated")) == 1


def test_conditions_are_documented(product_url: str) -> None:
    document = httpx.get(f"{product_url}/v1/openapi.json").json()
    one = document["paths"]["/v1/workspaces/{workspace}/instruments/{id}"]
    taken = {
        method: {each["name"] for each in operation["parameters"] if each["in"] == "header"}
        for method, operation in one.items()
    }
    assert taken == {"get": {"If-None-Match"}, "patch": {"If-Match"}, "delete": {"If-Match"}}
    assert "content" not in one["get"]["responses"]["304"]
    assert {"412"} <= one["patch"]["responses"].keys() & one["delete"]["responses"].keys()
    assert "ETag" in one["get"]["responses"]["200"]["headers"]
