"""One record, with all that belongs to it, is taken out of a backup and brought back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ptolemy.backups.archive.subset import subset
from ptolemy.backups.archive.verify import verify
from ptolemy.formats.rows import UnreadableFile
from ptolemy.kernel.problems import NotFound
from tests.backups.archives import contents, manifest, packed_anew, unpacked
from tests.backups.stock import fill_all
from tests.product import Workspace


@pytest.fixture
def backup(workspace: Workspace, tmp_path: Path) -> Path:
    fill_all(workspace)
    path = tmp_path / "backup.zip"
    path.write_bytes(workspace.export_workspace())
    return path


def part(backup: Path, resource: str, name: str) -> bytes:
    out = backup.with_name("part.zip")
    subset(backup, resource, name, out)
    return out.read_bytes()


def named(archive: bytes, table: str) -> list[Any]:
    rows = json.loads(unpacked(archive)[f"{table}.json"])
    return [row.get("path") or row.get("identifier") or row.get("field_key") or row["id"] for row in rows]


def test_an_instrument_that_was_removed_comes_back_from_a_part_of_a_backup_as_it_was(
    workspace: Workspace, backup: Path
) -> None:
    # Its type is not the backup's business to change: somebody has worked on since.
    workspace.create("instruments", identifier="since", name="", type_id="equity")
    before = contents(workspace.export_workspace())
    assert workspace.admin.delete("/instruments/bhp.ax?hard=true&cascade=true").status_code == 204
    assert contents(workspace.export_workspace()) != before
    job = workspace.import_workspace(part(backup, "instrument", "bhp.ax"), into_existing=True)
    assert (job["status"], job["rows_updated"], job["errors"]) == ("completed", 0, []), job
    assert contents(workspace.export_workspace()) == before


def test_a_part_holds_what_hangs_on_the_record_and_what_that_refers_to(backup: Path) -> None:
    archive = part(backup, "instrument", "bhp.ax")
    assert named(archive, "instruments") == ["bhp.ax"]
    assert named(archive, "instrument_types") == ["equity"]
    assert named(archive, "instrument_type_fields") == ["sector", "shares", "old"]
    assert set(named(archive, "instrument_tags")) == {"#equity", "#equity.au", "#equity.au.日本", "#old"}
    assert len(named(archive, "instrument_tag_assignments")) == 2
    assert named(archive, "markets") == ["xasx"]
    assert named(archive, "market_listing_statuses") == ["active"]
    assert [len(named(archive, each)) for each in ("market_listings", "market_listing_suspensions")] == [1, 1]
    assert sorted(named(archive, "series")) == ["bar", "close", "eps"]
    assert [len(named(archive, each)) for each in ("time_series_values", "composite_time_series_values")] == [4, 1]
    assert named(archive, "market_calendars") == []


def test_a_part_is_a_backup_of_its_own(workspace: Workspace, backup: Path) -> None:
    archive = part(backup, "market", "xasx")
    assert verify(backup.with_name("part.zip")).result == "fine"
    whole = manifest(backup.read_bytes())
    assert manifest(archive) | {"files": []} == whole | {"files": []}
    assert workspace.import_workspace(archive, into_existing=True)["rows_updated"] == 0
    rows = {file["resource"]: file["rows"] for file in manifest(archive)["files"]}
    report = subset(backup, "market", "xasx", backup.with_name("again.zip"))
    assert (report.rows, report.findings) == (rows, [])
    assert (rows["market_listings"], rows["instruments"], rows["time_series_values"]) == (2, 2, 0)


@pytest.mark.parametrize("resource", ["instrument", "market", "instrument_tag", "series", "instrument_type"])
def test_every_part_is_closed_under_its_references(resource: str, backup: Path) -> None:
    name = {"instrument": "日本", "market": "closed", "instrument_tag": "equity.au", "series": "bar"}.get(
        resource, "equity"
    )
    part(backup, resource, name)
    assert verify(backup.with_name("part.zip")).result == "fine"


def test_a_tag_takes_the_tags_below_and_above_along(backup: Path) -> None:
    archive = part(backup, "instrument_tag", "#equity.au")
    assert set(named(archive, "instrument_tags")) == {"#equity", "#equity.au", "#equity.au.日本"}
    assert named(archive, "instruments") == ["bhp.ax"]


def test_a_name_means_the_active_record_then_the_one_archived_last(workspace: Workspace, tmp_path: Path) -> None:
    workspace.equity()
    ids = []
    for _ in range(3):
        ids.append(workspace.create("instruments", identifier="a", name="", type_id="equity")["id"])
        workspace.admin.delete("/instruments/a")
    path = tmp_path / "backup.zip"
    path.write_bytes(workspace.export_workspace())
    assert subset(path, "instrument", "a", tmp_path / "part.zip").id == ids[2]
    workspace.admin.post(f"/instruments/{ids[0]}/restore")
    path.write_bytes(workspace.export_workspace())
    assert subset(path, "instrument", "a", tmp_path / "part.zip").id == ids[0]
    assert subset(path, "instrument", ids[1].upper(), tmp_path / "part.zip").id == ids[1]


@pytest.mark.parametrize(
    ("resource", "name", "said"),
    [
        ("instrument", "nobody", "the backup holds no instrument 'nobody'"),
        ("instrument", "01a21d21-34d0-7f8d-9446-8cd63aaa0a4b", "the backup holds no instrument '01a21d21"),
        ("instruments", "a", "there is no kind of record 'instruments': take one of instrument_type,"),
        ("market_listing", "a", "a market listing has no identifier: name it by its UUID"),
    ],
)
def test_what_a_backup_does_not_hold_is_told_and_nothing_is_written(
    resource: str, name: str, said: str, backup: Path
) -> None:
    out = backup.with_name("part.zip")
    with pytest.raises(NotFound) as raised:
        subset(backup, resource, name, out)
    assert raised.value.detail.startswith(said)
    assert list(backup.parent.iterdir()) == [backup]


def test_only_the_backup_of_a_whole_workspace_has_parts(tmp_path: Path) -> None:
    (tmp_path / "instruments.json").write_text("[\n]\n")
    with pytest.raises(UnreadableFile, match="a whole workspace"):
        subset(tmp_path, "instrument", "a", tmp_path / "part.zip")


def test_a_part_is_taken_of_a_damaged_backup_and_of_one_that_was_packed_anew(backup: Path) -> None:
    whole = part(backup, "instrument", "bhp.ax")
    backup.write_bytes(packed_anew(unpacked(backup.read_bytes())))
    assert part(backup, "instrument", "bhp.ax") == whole
    content = backup.read_bytes()
    at = content.index(b"market_calendars.json") + 60
    backup.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    report = subset(backup, "instrument", "bhp.ax", backup.with_name("part.zip"))
    assert [finding.file for finding in report.findings] == ["market_calendars.json"]
