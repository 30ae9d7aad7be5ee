"""Instruments bear tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.product import Workspace, answered, problem, refused_fields

Body = dict[str, Any]


@pytest.fixture
def tagged(workspace: Workspace) -> Workspace:
    """A workspace with an instrument `bhp` and the tags `#equity`, `#equity.au`, `#mining`."""
    workspace.equity()
    for body in ({"identifier": "equity"}, {"identifier": "au", "parent_id": "equity"}, {"identifier": "mining"}):
        workspace.create("instrument-tags", **body)
    workspace.create("instruments", identifier="bhp", name="BHP", type_id="equity")
    return workspace


def put(workspace: Workspace, *tags: str) -> Body:
    return answered(workspace.robot.put("/instruments/bhp/tags", json={"tags": tags}), 200)


def test_the_tags_of_an_instrument_are_replaced_as_a_set(tagged: Workspace, events: Callable[..., list[Body]]) -> None:
    mining = answered(tagged.robot.get("/instrument-tags/mining"), 200)["id"]
    assert put(tagged, "equity.au", mining)["tags"] == ["#equity.au", "#mining"]
    assert put(tagged, "#mining", "#equity", "mining")["tags"] == ["#equity", "#mining"]
    assert answered(tagged.robot.get("/instruments/bhp"), 200)["tags"] == ["#equity", "#mining"]
    assert len(events(event_type="instrument_tag_assignment.created")) == 3
    assert len(events(event_type="instrument_tag_assignment.deleted")) == 1
    assert put(tagged)["tags"] == []


def test_putting_the_same_set_writes_nothing(tagged: Workspace, events: Callable[..., list[Body]]) -> None:
    first = put(tagged, "mining")
    count = len(events())
    assert put(tagged, "mining") == first
    assert len(events()) == count


def test_tags_may_be_sent_with_the_instrument(tagged: Workspace) -> None:
    body = {"identifier": "csl", "name": "CSL", "type_id": "equity", "tags": ["equity"]}
    assert answered(tagged.robot.post("/instruments", json=body), 201)["tags"] == ["#equity"]
    changed = answered(tagged.robot.patch("/instruments/csl", json={"name": "CSL Limited"}), 200)
    assert changed["tags"] == ["#equity"]
    changed = answered(tagged.robot.patch("/instruments/csl", json={"tags": ["#equity.au"]}), 200)
    assert changed["tags"] == ["#equity.au"]
    page = answered(tagged.robot.get("/instruments"), 200)
    assert [each["tags"] for each in page["data"]] == [[], ["#equity.au"]]


def test_an_unknown_tag_is_named_and_nothing_is_changed(tagged: Workspace) -> None:
    put(tagged, "mining")
    response = tagged.robot.put("/instruments/bhp/tags", json={"tags": ["equity", "nowhere"]})
    assert refused_fields(response) == {"tags.1": "unknown_reference"}
    assert answered(tagged.robot.get("/instruments/bhp"), 200)["tags"] == ["#mining"]


@pytest.mark.parametrize("tags", [None, "equity", ["a b"], [1], {}])
def test_what_is_no_list_of_tags_is_refused(tagged: Workspace, tags: object) -> None:
    response = tagged.robot.put("/instruments/bhp/tags", json={"tags": tags})
    assert refused_fields(response) == {"tags": "invalid_links"}


def test_an_archived_tag_is_not_assigned_and_existing_assignments_stay(tagged: Workspace) -> None:
    put(tagged, "mining")
    tagged.robot.delete("/instrument-tags/mining")
    tagged.robot.delete("/instrument-tags/equity")
    assert answered(tagged.robot.get("/instruments/bhp"), 200)["tags"] == ["#mining"]
    assert put(tagged, "mining")["tags"] == ["#mining"]
    response = tagged.robot.put("/instruments/bhp/tags", json={"tags": ["mining", "equity"]})
    problem(response, 409, "parent_archived")
    body = {"instrument_id": "bhp", "tag_id": "equity"}
    problem(tagged.robot.post("/instrument-tag-assignments", json=body), 409, "parent_archived")


def test_an_archived_instrument_keeps_its_tags_and_takes_none(tagged: Workspace) -> None:
    put(tagged, "mining")
    tagged.robot.delete("/instruments/bhp")
    problem(tagged.robot.put("/instruments/bhp/tags", json={"tags": []}), 409, "archived")
    assert answered(tagged.robot.post("/instruments/bhp/restore"), 200)["tags"] == ["#mining"]


@pytest.mark.parametrize("gone", ["instruments/bhp", "instrument-tags/mining"])
def test_a_hard_delete_takes_the_assignments_along(
    tagged: Workspace, events: Callable[..., list[Body]], gone: str
) -> None:
    put(tagged, "mining")
    assert tagged.robot.delete(f"/{gone}?hard=true").status_code == 204
    assert answered(tagged.robot.get("/instrument-tag-assignments"), 200)["data"] == []
    assert len(events(event_type="instrument_tag_assignment.deleted")) == 1


def test_assignments_are_listed_by_instrument_and_by_tag(tagged: Workspace) -> None:
    put(tagged, "mining", "equity.au")
    page = answered(tagged.robot.get("/instrument-tag-assignments", params={"tag_id": "equity.au"}), 200)
    [only] = page["data"]
    page = answered(tagged.robot.get("/instrument-tag-assignments", params={"instrument_id": "bhp"}), 200)
    assert only in page["data"]
    assert len(page["data"]) == 2
    assert tagged.robot.delete(f"/instrument-tag-assignments/{only['id']}").status_code == 204
    assert answered(tagged.robot.get("/instruments/bhp"), 200)["tags"] == ["#mining"]
