"""Sixteen clients that move, archive and delete tags at once: the tree stays a tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.crowd import CLIENTS, at_once, crowd, statuses
from tests.product import Workspace, answered


@pytest.fixture
def clients(workspace: Workspace) -> Iterator[list[httpx.Client]]:
    with crowd(workspace) as opened:
        yield opened


def tag(workspace: Workspace, identifier: str, parent: str | None = None) -> str:
    return str(workspace.create("instrument-tags", identifier=identifier, parent_id=parent)["id"])


def tags(workspace: Workspace) -> dict[str, dict[str, Any]]:
    page = answered(workspace.robot.get("/instrument-tags?limit=200&archived=true"), 200)
    return {found["id"]: found for found in page["data"]}


def assert_a_tree(found: dict[str, dict[str, Any]]) -> None:
    """Every tag leads to a root, and its path says how."""
    for each in found.values():
        names, above = [each["identifier"]], each["parent_id"]
        while above is not None:
            assert len(names) <= len(found), "a circle"
            names.append(found[above]["identifier"])
            above = found[above]["parent_id"]
        assert each["path"] == "#" + ".".join(reversed(names))


def test_one_of_many_equal_siblings_wins(workspace: Workspace, clients: list[httpx.Client]) -> None:
    parent = tag(workspace, "equity")
    body = {"identifier": "au", "parent_id": parent}
    answers = at_once(clients, lambda client, _: client.post("/instrument-tags", json=body))
    assert statuses(answers) == {201: 1, 409: CLIENTS - 1}


def test_one_of_many_equal_roots_wins(workspace: Workspace, clients: list[httpx.Client]) -> None:
    answers = at_once(clients, lambda client, _: client.post("/instrument-tags", json={"identifier": "equity"}))
    assert statuses(answers) == {201: 1, 409: CLIENTS - 1}


def test_two_tags_moved_below_each_other_make_no_circle(workspace: Workspace, clients: list[httpx.Client]) -> None:
    left, right = tag(workspace, "left"), tag(workspace, "right")
    move = [(left, right), (right, left)]

    def ask(client: httpx.Client, number: int) -> httpx.Response:
        moved, below = move[number % 2]
        return client.patch(f"/instrument-tags/{moved}", json={"parent_id": below})

    answers = at_once(clients, ask)
    # The first move wins; who repeats it changes nothing, and who goes the other way is refused.
    assert statuses(answers) == {200: CLIENTS // 2, 409: CLIENTS // 2}
    assert_a_tree(tags(workspace))


def test_a_ring_of_moves_lets_all_but_one_through(workspace: Workspace, clients: list[httpx.Client]) -> None:
    ring = [tag(workspace, f"t{number}") for number in range(CLIENTS)]
    answers = at_once(
        clients,
        lambda client, number: client.patch(
            f"/instrument-tags/{ring[number]}", json={"parent_id": ring[(number + 1) % CLIENTS]}
        ),
    )
    assert statuses(answers) == {200: CLIENTS - 1, 409: 1}
    assert_a_tree(tags(workspace))


def test_archivings_and_creations_leave_no_active_tag_below_an_archived_one(
    workspace: Workspace, clients: list[httpx.Client]
) -> None:
    parent = tag(workspace, "equity")

    def ask(client: httpx.Client, number: int) -> httpx.Response:
        if number == CLIENTS // 2:
            return client.delete(f"/instrument-tags/{parent}")
        return client.post("/instrument-tags", json={"identifier": f"t{number}", "parent_id": parent})

    assert statuses(at_once(clients, ask)).keys() <= {201, 204, 409}
    found = tags(workspace)
    assert found[parent]["archived_at"] is not None
    assert all(each["archived_at"] is not None for each in found.values())


def test_one_of_many_hard_deletes_amid_creations_leaves_no_orphan(
    workspace: Workspace, clients: list[httpx.Client]
) -> None:
    parent = tag(workspace, "equity")

    def ask(client: httpx.Client, number: int) -> httpx.Response:
        if number % 2:
            return client.delete(f"/instrument-tags/{parent}?hard=true")
        return client.post("/instrument-tags", json={"identifier": f"t{number}", "parent_id": parent})

    assert statuses(at_once(clients, ask)).keys() <= {201, 204, 404, 409, 422}
    assert_a_tree(tags(workspace))


def test_sets_of_tags_replaced_at_once_leave_one_of_them(workspace: Workspace, clients: list[httpx.Client]) -> None:
    workspace.create("instrument-types", identifier="equity")
    workspace.create("instruments", identifier="bhp.ax", name="BHP", type_id="equity")
    sets = [[f"#s{number}", "#common"] for number in range(CLIENTS)]
    for identifier in ("common", *(f"s{number}" for number in range(CLIENTS))):
        tag(workspace, identifier)
    answers = at_once(
        clients, lambda client, number: client.put("/instruments/bhp.ax/tags", json={"tags": sets[number]})
    )
    assert statuses(answers) == {200: CLIENTS}
    assert len(answered(workspace.robot.get("/instrument-tag-assignments"), 200)["data"]) == 2
