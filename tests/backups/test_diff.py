"""`ptolemy diff` says what is different between two backups."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptolemy.backups.archive.diff import Difference, compare
from ptolemy.catalogue import EXPORTED
from tests.backups.stock import fill_all
from tests.cli.command import ptolemy
from tests.product import Workspace, answered


@pytest.fixture
def before(workspace: Workspace, tmp_path: Path) -> Path:
    fill_all(workspace)
    return saved(workspace, tmp_path / "before.zip")


def saved(workspace: Workspace, path: Path) -> Path:
    path.write_bytes(workspace.export_workspace())
    return path


def told(one: Path, other: Path) -> dict[str, Difference]:
    """The differences that there are, by resource."""
    found = compare(one, other).differences
    return {each.resource: each for each in found if each.added or each.removed or each.changed}


def test_backups_of_the_same_data_are_equal(workspace: Workspace, before: Path, tmp_path: Path) -> None:
    after = saved(workspace, tmp_path / "after.zip")
    assert compare(before, after).equal
    command = ptolemy("diff", str(before), str(after))
    assert (command.returncode, command.stdout) == (0, "the backups hold the same rows\n")


def test_what_was_added_removed_and_changed_is_told_by_field(
    workspace: Workspace, before: Path, tmp_path: Path
) -> None:
    added = workspace.create("instruments", identifier="new", name="New", type_id="equity")
    answered(workspace.robot.patch("/markets/xasx", json={"name": "Sydney", "extras": {"a": 1}}), 200)
    [assignment] = answered(workspace.robot.get("/instrument-tag-assignments?limit=1"), 200)["data"]
    assert workspace.robot.delete(f"/instrument-tag-assignments/{assignment['id']}").status_code == 204
    found = told(before, saved(workspace, tmp_path / "after.zip"))
    assert found.keys() == {"instruments", "markets", "instrument_tag_assignments"}
    assert (found["instruments"].added, found["instruments"].first) == (1, {"added": [added["id"]]})
    assert (found["markets"].changed, set(found["markets"].fields)) == (
        1,
        {"name", "extras", "field_values", "updated_at"},
    )
    gone = found["instrument_tag_assignments"]
    assert (gone.removed, gone.first) == (1, {"removed": [assignment["id"]]})


def test_the_other_way_round_what_was_added_is_removed(workspace: Workspace, before: Path, tmp_path: Path) -> None:
    workspace.create("instruments", identifier="new", name="New", type_id="equity")
    [found] = told(saved(workspace, tmp_path / "after.zip"), before).values()
    assert (found.added, found.removed) == (0, 1)


def test_directories_and_archives_can_be_compared(workspace: Workspace, before: Path, tmp_path: Path) -> None:
    for table in ("instruments", "markets", "market_listings"):
        (tmp_path / f"{table}.json").write_bytes(workspace.export(table))
    answered(workspace.robot.patch("/instruments/bhp.ax", json={"name": "BHP"}), 200)
    other = tmp_path / "other"
    other.mkdir()
    for table in ("instruments", "markets", "market_listings"):
        (other / f"{table}.json").write_bytes(workspace.export(table))
    [found] = told(tmp_path, other).values()
    assert (found.resource, found.changed, dict(found.fields)) == ("instruments", 1, {"name": 1, "updated_at": 1})


def test_a_directory_and_an_archive_of_the_same_data_are_equal(
    workspace: Workspace, before: Path, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for table in EXPORTED:
        (files / f"{table}.json").write_bytes(workspace.export(table))
    assert told(before, files) == told(files, before) == {}
    answered(workspace.robot.patch("/instruments/bhp.ax", json={"name": "BHP"}), 200)
    [found] = told(files, saved(workspace, tmp_path / "after.zip")).values()
    assert (found.resource, dict(found.fields)) == ("instruments", {"name": 1, "updated_at": 1})


@pytest.mark.parametrize("file_format", ["csv", "ndjson", "parquet"])
def test_exported_files_of_any_format_and_an_archive_of_the_same_data_are_equal(
    file_format: str, workspace: Workspace, before: Path, tmp_path: Path
) -> None:
    files, nested = tmp_path / "files", tmp_path / "nested"
    for directory, chosen in ((files, file_format), (nested, "json")):
        directory.mkdir()
        for table in EXPORTED:
            (directory / f"{table}.{chosen}").write_bytes(workspace.export(table, format=chosen))
    for other in (before, nested):
        assert told(files, other) == told(other, files) == {}
    change = {"name": "BHP", "field_values": {"sector": "Gold"}}
    answered(workspace.robot.patch("/instruments/bhp.ax", json=change), 200)
    [found] = told(files, saved(workspace, tmp_path / "after.zip")).values()
    assert (found.resource, dict(found.fields)) == ("instruments", {"name": 1, "field_values": 1, "updated_at": 1})


def test_the_command_tells_by_its_exit_code(workspace: Workspace, before: Path, tmp_path: Path) -> None:
    workspace.create("instruments", identifier="new", name="New", type_id="equity")
    after = saved(workspace, tmp_path / "after.zip")
    command = ptolemy("diff", str(before), str(after), "--json")
    said = json.loads(command.stdout)
    assert (command.returncode, said["equal"]) == (1, False)
    [changed] = [each for each in said["resources"] if each["added"]]
    assert (changed["resource"], changed["added"], changed["removed"]) == ("instruments", 1, 0)
    after.write_bytes(after.read_bytes()[:-1] + b"x")
    damaged = ptolemy("diff", str(before), str(after))
    assert damaged.returncode == 3
    assert "the end of the archive is damaged" in damaged.stdout
