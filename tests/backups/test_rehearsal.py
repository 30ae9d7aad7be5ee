"""Rehearsing a backup tells whether it can be restored and gives back what it holds, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ptolemy.backups.rehearsal import Rehearsal, rehearse
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller
from tests.backups.archives import changed, manifest, packed_anew, unpacked
from tests.backups.rehearsing import asked, rehearsed, sent
from tests.backups.stock import fill_all
from tests.faults.ground import Sight, seeing
from tests.product import Workspace, answered, problem, refused_fields, wait_for

Events = Callable[..., list[dict[str, Any]]]
TEMPORARY = "select relname from pg_class where relpersistence = 't'"


@pytest.fixture
def sight(product_database_url: str) -> Iterator[Sight]:
    with seeing(product_database_url) as seen:
        yield seen


@pytest.fixture
def archive(workspace: Workspace) -> bytes:
    fill_all(workspace)
    return workspace.export_workspace()


def test_a_change_of_nothing_gives_the_same_archive(archive: bytes) -> None:
    assert changed(archive, "series.json", lambda rows: None) == archive


def test_a_fine_backup_passes(workspace: Workspace, archive: bytes, events: Events) -> None:
    job = rehearsed(workspace, archive)
    assert (job["status"], job["result"], job["findings"], job["error"]) == ("completed", "passed", [], None), job
    assert job["files"] == [
        {
            "file": file["name"],
            "expected": file["rows"],
            "restored": file["rows"],
            "failed": 0,
            "exported": file["rows"],
            "identical": True,
        }
        for file in manifest(archive)["files"]
    ]
    assert job["rows_restored"] == sum(file["rows"] for file in manifest(archive)["files"])
    assert set(job["seconds"]) == {"check", "restore", "export", "compare", "remove"}
    assert (job["file_name"], job["file_size"]) == ("w.zip", len(archive))
    [event] = events(resource_type="rehearsal")
    assert (event["event_type"], str(event["resource_id"])) == ("rehearsal.completed", job["id"])
    assert event["changes"]["result"]["to"] == "passed"


def test_a_backup_of_an_empty_workspace_passes(workspace: Workspace) -> None:
    assert rehearsed(workspace, workspace.export_workspace())["result"] == "passed"


def test_a_value_that_does_not_come_back_as_it_was_is_named(
    workspace: Workspace, archive: bytes, events: Events
) -> None:
    record: dict[str, Any] = {}

    def spoil(rows: list[dict[str, Any]]) -> None:
        record.update(rows[2])
        # A default that was never stored would be filled in: so what comes back is another row.
        rows[2]["value"] = f"0{rows[2]['value']}"

    job = rehearsed(workspace, changed(archive, "time_series_values.json", spoil))
    assert (job["status"], job["result"]) == ("failed", "failed"), job
    [finding] = job["findings"]
    assert finding["file"] == "time_series_values.json"
    assert (finding["rows"], finding["records"], finding["fields"]) == ([3, 3], [record["id"]], ["value"])
    assert finding["message"] == "1 row comes back changed (value)"
    assert job["error"].startswith("time_series_values.json: ")
    [event] = events(event_type="rehearsal.failed")
    assert event["changes"]["result"]["to"] == "failed"
    assert event["changes"]["findings"]["to"][0]["records"] == [record["id"]]


def test_a_row_that_can_not_be_restored_is_named(workspace: Workspace, archive: bytes) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["suspended_from"] = "never"

    job = rehearsed(workspace, changed(archive, "market_listing_suspensions.json", spoil))
    assert (job["status"], job["result"]) == ("failed", "failed")
    [finding] = job["findings"]
    assert (finding["file"], finding["rows"], finding["fields"]) == (
        "market_listing_suspensions.json",
        [1, 1],
        ["suspended_from"],
    )
    assert [file["failed"] for file in job["files"] if file["failed"]] == [1]


def test_a_reference_that_leads_nowhere_is_found(workspace: Workspace, archive: bytes) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[0]["type_id"], rows[0]["type"] = str(uuid4()), None

    job = rehearsed(workspace, changed(archive, "instruments.json", spoil))
    assert job["findings"][0]["file"] == "instruments.json"


def test_a_damaged_backup_fails(workspace: Workspace, archive: bytes) -> None:
    files = unpacked(archive)
    files["instruments.json"] = files["instruments.json"].replace(b"BHP", b"BHQ")
    job = rehearsed(workspace, packed_anew(files))
    assert (job["status"], job["result"]) == ("failed", "failed")
    assert [finding["code"] for finding in job["findings"]] == ["damaged_archive"]
    assert "instruments.json" in job["error"]


def test_a_backup_of_a_newer_format_fails(workspace: Workspace, archive: bytes) -> None:
    files = unpacked(archive)
    files["manifest.json"] = files["manifest.json"].replace(b'"format_version": 1', b'"format_version": 2')
    job = rehearsed(workspace, packed_anew(files))
    assert [finding["code"] for finding in job["findings"]] == ["unknown_format_version"]


@pytest.mark.parametrize("content", [b"", b"[]", b"PK\x03\x04"])
def test_what_is_no_backup_fails(content: bytes, workspace: Workspace) -> None:
    job = rehearsed(workspace, content)
    assert (job["status"], job["result"], len(job["findings"])) == ("failed", "failed", 1)


def test_the_upload_can_be_restored_after_its_rehearsal(
    workspace: Workspace, archive: bytes, new_workspace: Callable[[], Workspace]
) -> None:
    other = new_workspace()
    upload = sent(other, archive)
    other.finished("backups/rehearsals", answered(asked(other, upload), 202))
    said = {"resource_type": (None, "workspace"), "upload_id": (None, upload)}
    job = other.finished("imports", answered(other.admin.post("/imports", files=said), 202))
    assert job["status"] == "completed", job


def test_an_upload_is_rehearsed_once_at_a_time(workspace: Workspace, sight: Sight, archive: bytes) -> None:
    upload = sent(workspace, archive)
    sight.rows("update uploads set used_by = $2 where id = $1", UUID(upload), uuid4())
    problem(asked(workspace, upload), 409, "upload_used")


@pytest.mark.parametrize("body", [{}, {"upload_id": None}])
def test_a_rehearsal_needs_a_backup(body: dict[str, Any], workspace: Workspace) -> None:
    assert refused_fields(workspace.robot.post("/backups/rehearse", json=body)) == {"upload_id": "required"}


def test_an_unknown_upload_is_refused(workspace: Workspace) -> None:
    assert refused_fields(asked(workspace, str(uuid4()))) == {"upload_id": "unknown_reference"}


def test_a_viewer_sees_rehearsals_and_starts_none(workspace: Workspace, archive: bytes) -> None:
    job = rehearsed(workspace, archive)
    viewer = workspace.client(workspace.token("viewer"))
    assert [each["id"] for each in answered(viewer.get("/backups/rehearsals"), 200)["data"]] == [job["id"]]
    assert answered(viewer.get(f"/backups/rehearsals/{job['id']}"), 200) == job
    problem(viewer.post("/backups/rehearse", json={"upload_id": job["upload_id"]}), 403, "forbidden")
    problem(viewer.post(f"/backups/rehearsals/{job['id']}/cancel"), 403, "forbidden")


def test_rehearsals_are_listed_by_what_they_rehearse(workspace: Workspace, archive: bytes) -> None:
    job = rehearsed(workspace, archive)
    for named, found in ((job["upload_id"], [job["id"]]), (str(uuid4()), [])):
        page = answered(workspace.robot.get("/backups/rehearsals", params={"upload_id": named}), 200)
        assert [each["id"] for each in page["data"]] == found
    page = answered(workspace.robot.get("/backups/rehearsals?status=cancelled"), 200)
    assert page["data"] == []


def test_rehearsals_of_others_are_unknown(
    workspace: Workspace, archive: bytes, new_workspace: Callable[[], Workspace]
) -> None:
    job = rehearsed(workspace, archive)
    other = new_workspace().robot
    problem(other.get(f"/backups/rehearsals/{job['id']}"), 404, "not_found")
    problem(other.post(f"/backups/rehearsals/{job['id']}/cancel"), 404, "not_found")
    assert refused_fields(other.post("/backups/rehearse", json={"upload_id": job["upload_id"]})) == {
        "upload_id": "unknown_reference"
    }


def test_a_cancelled_rehearsal_leaves_nothing(
    workspace: Workspace, archive: bytes, sight: Sight, events: Events
) -> None:
    job = answered(asked(workspace, sent(workspace, archive)), 202)
    answered(workspace.robot.post(f"/backups/rehearsals/{job['id']}/cancel"), 200)
    ended = workspace.finished("backups/rehearsals", job)
    assert ended["status"] in ("cancelled", "completed")
    assert [event["event_type"] for event in events(resource_type="rehearsal")] == [f"rehearsal.{ended['status']}"]
    wait_for(lambda: True if not sight.column(TEMPORARY) else None)


def test_cancelling_a_rehearsal_that_has_ended_changes_nothing(workspace: Workspace, archive: bytes) -> None:
    job = rehearsed(workspace, archive)
    assert answered(workspace.robot.post(f"/backups/rehearsals/{job['id']}/cancel"), 200) == job


def test_two_rehearsals_at_once_know_nothing_of_each_other(workspace: Workspace, archive: bytes) -> None:
    jobs = [answered(asked(workspace, sent(workspace, archive)), 202) for _ in range(2)]
    ended = [workspace.finished("backups/rehearsals", job) for job in jobs]
    assert [job["result"] for job in ended] == ["passed", "passed"]


def test_nobody_sees_the_scratch_workspace_and_no_feed_waits_for_it(
    workspace: Workspace, archive: bytes, product_database_url: str, sight: Sight, tmp_path: Path
) -> None:
    (tmp_path / "backup.zip").write_bytes(archive)
    tables = sight.column(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname"
    )
    # Each transaction that writes has a number; the feed waits for the oldest.
    writing = "select min(backend_xid::text::bigint) from pg_stat_activity where datname = current_database()"
    numbers = list[int | None]()

    def everything() -> dict[str, int]:
        # Calls that were made before are written down some seconds later.
        counted = [table for table in tables if table != "call_counts"]
        return {table: sight.value(f"select count(*) from public.{table}") for table in counted}

    before, temporary = everything(), set[int]()

    def look() -> None:
        numbers.append(sight.value(writing))
        temporary.add(len(sight.column(TEMPORARY)))
        assert everything() == before

    with ThreadPoolExecutor(1) as elsewhere:

        async def work() -> Rehearsal:
            database = await Database.open(product_database_url, app_connections=1, owner_connections=1)
            found = await rehearse(
                database,
                Caller(uuid4(), SYSTEM),
                tmp_path / "backup.zip",
                check_in=lambda: elsewhere.submit(look).result(),
                unpacked_limit_bytes=1 << 30,
            )
            await database.close()
            return found

        assert asyncio.run(work()).passed
    assert temporary != {0}
    # Between two batches the rehearsal holds nothing.
    assert numbers.count(None) > len(numbers) / 2
    wait_for(lambda: True if not sight.column(TEMPORARY) else None)
    assert everything() == before
