"""Tags form a tree, and a path names a tag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.product import Workspace, answered, problem, refused_fields

Body = dict[str, Any]


def grow(workspace: Workspace, *paths: str) -> None:
    """Creates the tags; parents have to come before their children."""
    for path in paths:
        parent, _, identifier = path.rpartition(".")
        body = {"identifier": identifier, **({"parent_id": parent} if parent else {})}
        answered(workspace.robot.post("/instrument-tags", json=body), 201)


def paths(workspace: Workspace, **params: str) -> set[str]:
    page = answered(workspace.robot.get("/instrument-tags", params=params), 200)
    return {tag["path"] for tag in page["data"]}


def test_a_path_joins_the_identifiers_from_the_root(workspace: Workspace) -> None:
    grow(workspace, "equity", "equity.au", "equity.au.日本")
    assert paths(workspace) == {"#equity", "#equity.au", "#equity.au.日本"}


def test_a_path_names_a_tag_with_or_without_its_hash(workspace: Workspace) -> None:
    grow(workspace, "equity", "equity.au")
    named = answered(workspace.robot.get("/instrument-tags/equity.au"), 200)
    assert named["path"] == "#equity.au"
    assert answered(workspace.robot.get("/instrument-tags/%23equity.au"), 200) == named
    assert answered(workspace.robot.get("/instrument-tags", params={"ids": "equity.au"}), 200)["data"] == [named]
    below = answered(workspace.robot.post("/instrument-tags", json={"identifier": "x", "parent_id": "#equity.au"}), 201)
    assert below["path"] == "#equity.au.x"
    problem(workspace.robot.get("/instrument-tags/au"), 404, "not_found")


def test_an_identifier_is_unique_among_siblings_alone(workspace: Workspace) -> None:
    grow(workspace, "equity", "bond", "equity.au", "bond.au")
    response = workspace.robot.post("/instrument-tags", json={"identifier": "au", "parent_id": "bond"})
    problem(response, 409, "duplicate")


def test_an_identifier_has_no_dot(workspace: Workspace) -> None:
    response = workspace.robot.post("/instrument-tags", json={"identifier": "equity.au"})
    assert refused_fields(response) == {"identifier": "invalid_identifier"}


def test_a_path_of_more_than_600_characters_is_refused(workspace: Workspace) -> None:
    long = "日" * 250
    grow(workspace, long, f"{long}.{long}")
    body = {"identifier": long, "parent_id": f"{long}.{long}"}
    assert refused_fields(workspace.robot.post("/instrument-tags", json=body)) == {"identifier": "path_too_long"}
    grow(workspace, "short", "short.x")
    answered(workspace.robot.patch("/instrument-tags/short", json={"parent_id": f"{long}.{long}"}), 200)
    moved = workspace.robot.patch(f"/instrument-tags/{long}.{long}.short", json={"identifier": "s" * 98})
    assert refused_fields(moved) == {"identifier": "path_too_long"}


def test_moving_a_tag_moves_its_subtree_with_an_event_each(
    workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    grow(workspace, "a", "a.b", "a.b.c", "a.b.gone", "z")
    answered_archive(workspace, "a.b.gone")
    answered(workspace.robot.patch("/instrument-tags/a.b", json={"parent_id": "z"}), 200)
    assert paths(workspace, archived="all") == {"#a", "#z", "#z.b", "#z.b.c", "#z.b.gone"}
    moved = events(event_type="instrument_tag.updated")
    assert [event["changes"]["path"] for event in moved] == [
        {"from": "#a.b", "to": "#z.b"},
        {"from": "#a.b.c", "to": "#z.b.c"},
        {"from": "#a.b.gone", "to": "#z.b.gone"},
    ]
    answered(workspace.robot.patch("/instrument-tags/z.b", json={"parent_id": None}), 200)
    assert paths(workspace) == {"#a", "#z", "#b", "#b.c"}


def test_renaming_a_tag_renames_the_paths_below(workspace: Workspace) -> None:
    grow(workspace, "a", "a.b")
    answered(workspace.robot.patch("/instrument-tags/a", json={"identifier": "x"}), 200)
    assert paths(workspace) == {"#x", "#x.b"}


def test_a_tag_cannot_be_moved_below_itself(workspace: Workspace) -> None:
    grow(workspace, "a", "a.b", "a.b.c")
    for parent in ("a", "a.b", "a.b.c"):
        problem(workspace.robot.patch("/instrument-tags/a", json={"parent_id": parent}), 409, "tag_cycle")
    assert paths(workspace) == {"#a", "#a.b", "#a.b.c"}


def test_a_tag_cannot_be_moved_to_where_its_path_is_taken(workspace: Workspace) -> None:
    grow(workspace, "a", "a.x", "b", "b.x")
    problem(workspace.robot.patch("/instrument-tags/a.x", json={"parent_id": "b"}), 409, "duplicate")


def test_archiving_a_tag_archives_all_below_with_an_event_each(
    workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    grow(workspace, "a", "a.b", "a.b.c", "z")
    answered_archive(workspace, "a")
    assert paths(workspace) == {"#z"}
    assert len(events(event_type="instrument_tag.archived")) == 3


def test_restoring_a_tag_restores_that_one_alone_and_its_parent_comes_first(workspace: Workspace) -> None:
    grow(workspace, "a", "a.b", "a.b.c")
    answered_archive(workspace, "a")
    problem(workspace.robot.post("/instrument-tags/a.b/restore"), 409, "parent_archived")
    for path in ("a", "a.b"):
        answered(workspace.robot.post(f"/instrument-tags/{path}/restore"), 200)
    assert paths(workspace) == {"#a", "#a.b"}


def test_a_tag_with_children_is_not_hard_deleted(workspace: Workspace, events: Callable[..., list[Body]]) -> None:
    grow(workspace, "a", "a.b")
    answered_archive(workspace, "a.b")
    refused = problem(workspace.robot.delete("/instrument-tags/a?hard=true"), 409, "blocked_by_dependents")
    assert refused["dependents"] == {"instrument_tags": 1}
    for path in ("a.b", "a"):
        assert workspace.robot.delete(f"/instrument-tags/{path}?hard=true").status_code == 204
    assert paths(workspace, archived="all") == set()
    assert len(events(event_type="instrument_tag.deleted")) == 2


def test_the_events_of_a_tag_carry_its_path(workspace: Workspace, events: Callable[..., list[Body]]) -> None:
    grow(workspace, "a", "a.b")
    assert [event["resource_identifier"] for event in events(event_type="instrument_tag.created")] == ["#a", "#a.b"]


def answered_archive(workspace: Workspace, path: str) -> None:
    assert workspace.robot.delete(f"/instrument-tags/{path}").status_code == 204
