"""Backups of both kinds, taken and restored through the client."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ptolemy.backups.archive.diff import compare
from ptolemy.backups.archive.verify import verify
from ptolemy.client import Client, DamagedFile, JobFailed, PtolemyError
from ptolemy.client.backups import RESOURCE_TYPES
from tests.exports.test_round_trip import fill
from tests.product import Workspace
from tests.relay import Relay


@pytest.fixture
def other(new_workspace: Callable[[], Workspace]) -> Workspace:
    return new_workspace()


@pytest.fixture
def other_person(other: Workspace, line: Relay) -> Iterator[Client]:
    with Client(line.url, other.admin_token, other.slug) as client:
        yield client


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    fill(workspace)
    return workspace


def files(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_an_archive_is_restored_whole(filled: Workspace, person: Client, other_person: Client, tmp_path: Path) -> None:
    [job] = person.backup(tmp_path / "new" / "日本.zip")
    assert verify(Path(job["path"])).result == "fine"
    restored = other_person.restore(job["path"]).files
    assert {each.file: each.created for each in restored}["instruments.json"] == 3
    assert all(each.created == each.expected and not each.failed for each in restored)
    other_person.backup(tmp_path / "again.zip")
    assert compare(Path(job["path"]), tmp_path / "again.zip").equal


def test_a_directory_is_restored_by_a_robot_into_a_workspace_with_the_types(
    filled: Workspace, robot: Client, other: Workspace, line: Relay, tmp_path: Path
) -> None:
    jobs = robot.backup(tmp_path / "backup")
    assert [job["resource_type"] for job in jobs] == list(RESOURCE_TYPES)
    assert {each.name for each in tmp_path.iterdir()} == {"backup"}
    assert set(files(tmp_path / "backup")) == {f"{name}.json" for name in RESOURCE_TYPES} | {"files.json"}
    assert verify(tmp_path / "backup").result == "fine"
    other.equity()
    with Client(line.url, other.token("member"), other.slug) as other_robot:
        restored = other_robot.restore(tmp_path / "backup").files
        assert [(each.expected, each.failed) for each in restored] == [(job["row_count"], 0) for job in jobs]
        assert all(each.created == each.expected for each in restored)
        other_robot.backup(tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "backup")


def test_a_robot_is_told_what_it_may_do_instead_of_an_archive(
    filled: Workspace, robot: Client, person: Client, tmp_path: Path
) -> None:
    with pytest.raises(PtolemyError, match="a directory"):
        robot.backup(tmp_path / "backup.zip")
    assert not list(tmp_path.iterdir())
    person.backup(tmp_path / "backup.zip")
    with pytest.raises(PtolemyError, match="a directory"):
        robot.restore(tmp_path / "backup.zip")


@pytest.mark.parametrize("name", ["backup", "backup.zip"])
def test_a_backup_is_not_written_over_another_unless_told(
    workspace: Workspace, person: Client, tmp_path: Path, name: str
) -> None:
    person.backup(tmp_path / name)
    with pytest.raises(PtolemyError, match="there already"):
        person.backup(tmp_path / name)
    workspace.equity()
    workspace.create("instruments", identifier="new", name="N", type_id="equity")
    person.backup(tmp_path / name, overwrite=True)
    report = verify(tmp_path / name)
    assert {each.resource: each.rows for each in report.files}["instruments"] == 1


def test_a_directory_is_overwritten_without_touching_what_else_lies_in_it(person: Client, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    person.backup(tmp_path, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["backup", "backup.zip"])
def test_a_backup_that_breaks_off_leaves_nothing(
    workspace: Workspace, line: Relay, person: Client, tmp_path: Path, name: str
) -> None:
    line.faults += [("GET", "/v1/files/", "changed")] * 99
    with pytest.raises(DamagedFile):
        person.backup(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_directory_of_the_guides_own_script_is_restored_too(
    filled: Workspace, robot: Client, other: Workspace, other_person: Client, tmp_path: Path
) -> None:
    robot.backup(tmp_path / "all")
    (tmp_path / "all" / "files.json").unlink()
    other.equity()
    restored = other_person.restore(tmp_path / "all").files
    assert sum(each.created for each in restored) == sum(each.expected for each in restored) > 0


def test_a_damaged_directory_is_refused_before_the_first_row(
    filled: Workspace, robot: Client, other: Workspace, other_person: Client, tmp_path: Path
) -> None:
    robot.backup(tmp_path / "backup")
    damaged = tmp_path / "backup" / "time_series_values.json"
    damaged.write_bytes(damaged.read_bytes().replace(b"45.820", b"45.821"))
    other.equity()
    with pytest.raises(DamagedFile, match=r"time_series_values\.json"):
        other_person.restore(tmp_path / "backup")
    damaged.unlink()
    with pytest.raises(DamagedFile, match="missing"):
        other_person.restore(tmp_path / "backup")
    assert not list(other_person.records("/instruments"))


def test_a_directory_into_a_workspace_with_data_stops_at_the_first_file_in_conflict(
    filled: Workspace, robot: Client, tmp_path: Path
) -> None:
    robot.backup(tmp_path / "backup")
    with pytest.raises(JobFailed) as raised:
        robot.restore(tmp_path / "backup")
    assert raised.value.job["resource_type"] == "instruments"
    assert {error["code"] for error in raised.value.job["errors"]} == {"conflict"}


def test_a_directory_into_existing_brings_changed_records_back(
    filled: Workspace, robot: Client, tmp_path: Path
) -> None:
    robot.backup(tmp_path / "backup")
    robot.patch("/instruments/bhp.ax", json={"name": "wrong"}).raise_for_status()
    restored = {each.file: each for each in robot.restore(tmp_path / "backup", into_existing=True).files}
    assert (restored["instruments.json"].created, restored["instruments.json"].changed) == (0, 1)
    assert robot.get("/instruments/bhp.ax").json()["name"] == 'BHP Group, "Limited"'


def test_what_is_no_backup_is_told(person: Client, tmp_path: Path) -> None:
    with pytest.raises(PtolemyError, match="no exported file"):
        person.restore(tmp_path)
    (tmp_path / "no.zip").write_text("no")
    with pytest.raises(JobFailed):
        person.restore(tmp_path / "no.zip")
    (tmp_path / "files.json").write_text(json.dumps({"format": "ptolemy-files", "format_version": 2, "files": []}))
    with pytest.raises(PtolemyError, match="update it"):
        person.restore(tmp_path)
    (tmp_path / "files.json").write_text("{")
    with pytest.raises(DamagedFile, match=r"files\.json"):
        person.restore(tmp_path)


def test_an_unpacked_archive_is_told_apart_from_a_directory_of_files(person: Client, tmp_path: Path) -> None:
    person.backup(tmp_path / "backup.zip")
    shutil.unpack_archive(tmp_path / "backup.zip", tmp_path / "unpacked")
    with pytest.raises(PtolemyError, match="pack it again"):
        person.restore(tmp_path / "unpacked")


def test_an_archive_into_existing_brings_back_what_was_lost_and_may_be_tried(
    filled: Workspace, person: Client, tmp_path: Path
) -> None:
    person.backup(tmp_path / "backup.zip")
    person.delete("/instruments/日本", params={"hard": "true"}).raise_for_status()
    person.patch("/instruments/bhp.ax", json={"name": "wrong"}).raise_for_status()
    tried = person.restore(tmp_path / "backup.zip", into_existing=True, dry_run=True)
    assert person.get("/instruments/日本").status_code == 404
    restored = person.restore(tmp_path / "backup.zip", into_existing=True)
    assert restored.files == tried.files
    instruments = {each.file: each for each in restored.files}["instruments.json"]
    assert (instruments.created, instruments.changed, instruments.unchanged) == (1, 1, 1)
    person.backup(tmp_path / "again.zip")
    assert compare(tmp_path / "backup.zip", tmp_path / "again.zip").equal


def test_a_rehearsal_passes_for_a_good_backup_and_leaves_the_workspace_alone(
    filled: Workspace, person: Client, robot: Client, line: Relay, tmp_path: Path
) -> None:
    person.backup(tmp_path / "backup.zip")
    line.faults += [("GET", "/backups/rehearsals/", "unheard")] * 5
    rehearsal = robot.rehearse(tmp_path / "backup.zip")
    assert (rehearsal.passed, list(rehearsal.findings)) == (True, [])
    assert rehearsal.job["rows_restored"] > 0
    person.backup(tmp_path / "again.zip")
    assert compare(tmp_path / "backup.zip", tmp_path / "again.zip").equal


def test_a_rehearsal_of_a_damaged_backup_answers_what_is_wrong(
    filled: Workspace, person: Client, tmp_path: Path
) -> None:
    path = tmp_path / "backup.zip"
    person.backup(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    rehearsal = person.rehearse(path)
    assert not rehearsal.passed
    assert all(finding["message"] for finding in rehearsal.findings)


def test_verify_finds_every_changed_byte_of_a_directory(filled: Workspace, robot: Client, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    robot.backup(folder)
    chance = random.Random(5)
    for _ in range(50):
        path = chance.choice(sorted(folder.glob("[!f]*.json")))
        whole = path.read_bytes()
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        report = verify(folder)
        assert report.result == "damaged"
        assert path.name in {finding.file for finding in report.findings}
        path.write_bytes(whole)
    assert verify(folder).result == "fine"


def test_verify_finds_what_a_directory_lacks(filled: Workspace, robot: Client, tmp_path: Path) -> None:
    robot.backup(tmp_path / "backup")
    (tmp_path / "backup" / "market_calendars.json").unlink()
    report = verify(tmp_path / "backup")
    assert ("incomplete", "market_calendars.json") in {(each.kind, each.file) for each in report.findings}
    (tmp_path / "backup" / "files.json").write_bytes(b"\xff")
    assert verify(tmp_path / "backup").result == "damaged"
