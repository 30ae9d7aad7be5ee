"""Filters by tags."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import Workspace, answered, refused_fields


@pytest.fixture
def tagged(workspace: Workspace) -> Workspace:
    """`a` bears `#equity`, `b` `#equity.au`, `c` `#equity.au.mining` and `#bond`, `d` nothing."""
    workspace.equity()
    for identifier, parent in (("equity", None), ("au", "equity"), ("mining", "equity.au"), ("bond", None)):
        workspace.create("instrument-tags", identifier=identifier, parent_id=parent)
    for identifier, tags in (("a", ["equity"]), ("b", ["equity.au"]), ("c", ["equity.au.mining", "bond"]), ("d", [])):
        workspace.create("instruments", identifier=identifier, name=identifier, type_id="equity", tags=tags)
    return workspace


def found(workspace: Workspace, condition: dict[str, Any], path: str = "/instruments") -> tuple[list[str], bool]:
    """The identifiers that the filter finds, and whether it warns."""
    page = answered(workspace.robot.post(f"{path}/filter", json={"filter": condition}), 200)
    count = answered(workspace.robot.post(f"{path}/count", json={"filter": condition}), 200)["count"]
    assert count == len(page["data"])
    return [record["identifier"] for record in page["data"]], "warnings" in page


def tagged_by(op: str, value: object) -> dict[str, Any]:
    return {"field": "tags", "op": op, "value": value}


def archived(value: bool) -> dict[str, Any]:
    return {"field": "archived_at", "op": "is_null", "value": value}


@pytest.mark.parametrize(
    ("op", "path", "expected"),
    [
        ("tagged", "equity.au", ["b"]),
        ("tagged", "#equity", ["a"]),
        ("tagged_with_descendants", "equity", ["a", "b", "c"]),
        ("tagged_with_descendants", "#equity.au", ["b", "c"]),
        ("tagged_with_descendants", "bond", ["c"]),
    ],
)
def test_instruments_are_found_by_tag(tagged: Workspace, op: str, path: str, expected: list[str]) -> None:
    assert found(tagged, tagged_by(op, path)) == (expected, False)
    tag = answered(tagged.robot.get(f"/instrument-tags/{path.removeprefix('#')}"), 200)["id"]
    assert found(tagged, tagged_by(op, tag)) == (expected, False)


def test_tag_conditions_combine_with_others(tagged: Workspace) -> None:
    condition = {"or": [tagged_by("tagged", "equity"), {"and": [tagged_by("tagged", "bond"), archived(True)]}]}
    assert found(tagged, condition) == (["a", "c"], False)


def test_a_tag_that_is_not_there_finds_nothing_with_a_warning(tagged: Workspace) -> None:
    assert found(tagged, tagged_by("tagged", "nowhere")) == ([], True)


def test_an_archived_tag_matches_only_when_the_filter_speaks_of_archived_at(tagged: Workspace) -> None:
    tagged.robot.delete("/instrument-tags/equity.au")
    assert found(tagged, tagged_by("tagged", "equity.au")) == ([], True)
    assert found(tagged, tagged_by("tagged_with_descendants", "equity")) == (["a"], False)
    assert found(tagged, {"and": [tagged_by("tagged", "equity.au"), archived(True)]}) == (["b"], False)
    assert found(tagged, {"and": [tagged_by("tagged_with_descendants", "equity"), archived(True)]})[0] == [
        "a",
        "b",
        "c",
    ]


def test_tags_are_found_below_another(tagged: Workspace) -> None:
    below = {"field": "path", "op": "is_descendant_of", "value": "equity"}
    assert found(tagged, below, "/instrument-tags") == (["au", "mining"], False)
    equal = {"field": "path", "op": "eq", "value": "equity.au"}
    assert found(tagged, equal, "/instrument-tags") == (["au"], False)


@pytest.mark.parametrize("value", [None, 1, ["equity"], "a b"])
def test_what_is_no_tag_is_refused_by_its_place(tagged: Workspace, value: object) -> None:
    response = tagged.robot.post("/instruments/filter", json={"filter": tagged_by("tagged", value)})
    assert list(refused_fields(response)) == ["filter.value"]


@pytest.mark.parametrize("op", ["eq", "like", "is_null", "is_descendant_of"])
def test_tags_have_operators_of_their_own(tagged: Workspace, op: str) -> None:
    response = tagged.robot.post("/instruments/filter", json={"filter": tagged_by(op, "equity")})
    assert refused_fields(response) == {"filter.op": "unknown_op"}
