"""A whole workspace is one archive, and comes back from it as it was."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.backups.archives import contents, manifest, packed_anew, unpacked
from tests.backups.stock import fill_all
from tests.product import Workspace, answered, problem, refused_fields
from tests.serving import configured, serving, signed_in

NewWorkspace = Callable[[], Workspace]


def test_a_restored_workspace_exports_the_same_files(workspace: Workspace, new_workspace: NewWorkspace) -> None:
    fill_all(workspace)
    archive = workspace.export_workspace()
    other = new_workspace()
    job = other.import_workspace(archive)
    assert (job["status"], job["rows_failed"], job["error"]) == ("completed", 0, None), job
    assert contents(other.export_workspace()) == contents(archive)
    assert all(file["rows"] > 0 for file in manifest(archive)["files"])


def test_equal_data_gives_equal_bytes_but_for_the_manifest(workspace: Workspace) -> None:
    fill_all(workspace)
    one, other = workspace.export_workspace(), workspace.export_workspace()
    start = one.rindex(b"PK\x03\x04")
    assert one[:start] == other[:start]
    assert manifest(one) | {"created_at": ""} == manifest(other) | {"created_at": ""}


def test_the_manifest_says_where_the_backup_is_from_and_what_is_in_it(workspace: Workspace) -> None:
    workspace.equity()
    archive = workspace.export_workspace()
    found = manifest(archive)
    assert (found["format"], found["format_version"]) == ("ptolemy-workspace", 1)
    assert found["workspace"]["slug"] == workspace.slug
    assert [file["resource"] for file in found["files"]][:3] == [
        "instrument_types",
        "instrument_type_fields",
        "market_types",
    ]
    rows = {file["resource"]: file["rows"] for file in found["files"]}
    assert (rows["series"], rows["market_listing_statuses"], rows["instruments"]) == (2, 3, 0)
    assert zipfile.ZipFile(io.BytesIO(archive)).testzip() is None


def test_the_job_tells_each_file_with_what_was_expected_and_created(
    workspace: Workspace, new_workspace: NewWorkspace
) -> None:
    fill_all(workspace)
    archive = workspace.export_workspace()
    job = new_workspace().import_workspace(archive)
    assert job["files"] == [
        {
            "file": file["name"],
            "expected": file["rows"],
            "created": file["rows"],
            "changed": 0,
            "unchanged": 0,
            "failed": 0,
        }
        for file in manifest(archive)["files"]
    ]
    assert job["rows_imported"] == job["row_count"] == sum(file["rows"] for file in manifest(archive)["files"])
    assert job["format"] == "zip"


def test_a_workspace_that_holds_data_is_not_restored_into(workspace: Workspace, new_workspace: NewWorkspace) -> None:
    fill_all(workspace)
    archive = workspace.export_workspace()
    other = new_workspace()
    other.create("series", identifier="mine")
    before = contents(other.export_workspace())
    job = other.import_workspace(archive)
    assert job["status"] == "failed"
    assert job["error"] == (
        "the workspace holds data already (the first: series): restore into a new one, or into this one"
        " with `into_existing` (`ptolemy restore --into-existing`)"
    )
    assert contents(other.export_workspace()) == before


@pytest.mark.parametrize("change", [{"name": "Mine"}, {"is_tradable": False}])
def test_a_status_that_was_changed_counts_as_data(change: dict[str, Any], workspace: Workspace) -> None:
    archive = workspace.export_workspace()
    answered(workspace.admin.patch("/market-listing-statuses/active", json=change), 200)
    assert "holds data" in workspace.import_workspace(archive)["error"]


@pytest.mark.parametrize("options", [{"format": "csv"}, {"compression": "gzip"}, {"include_archived": False}])
def test_the_export_of_a_workspace_takes_no_options(options: dict[str, Any], workspace: Workspace) -> None:
    answer = workspace.admin.post("/exports", json={"resource_type": "workspace", **options})
    assert refused_fields(answer) == dict.fromkeys(options, "not_for_workspace")


def test_a_member_may_neither_export_nor_import_a_workspace(workspace: Workspace) -> None:
    problem(workspace.robot.post("/exports", json={"resource_type": "workspace"}), 403, "forbidden")
    sent = {"resource_type": "workspace"}
    problem(workspace.robot.post("/imports", files={"file": ("w.zip", b"PK")}, data=sent), 403, "forbidden")


def test_an_archive_that_was_packed_anew_is_taken(workspace: Workspace, new_workspace: NewWorkspace) -> None:
    fill_all(workspace)
    archive = workspace.export_workspace()
    other = new_workspace()
    assert other.import_workspace(packed_anew(unpacked(archive)))["status"] == "completed"
    assert contents(other.export_workspace()) == contents(archive)


def test_an_archive_of_another_format_version_is_refused(workspace: Workspace) -> None:
    files = unpacked(workspace.export_workspace())
    files["manifest.json"] = files["manifest.json"].replace(b'"format_version": 1', b'"format_version": 2')
    job = workspace.import_workspace(packed_anew(files))
    assert job["error"] == "the backup has the format version 2, this Ptolemy reads up to 1: update it"


def test_an_archive_with_a_changed_file_is_refused(workspace: Workspace, new_workspace: NewWorkspace) -> None:
    fill_all(workspace)
    files = unpacked(workspace.export_workspace())
    files["instruments.json"] = files["instruments.json"].replace(b"BHP", b"BHQ")
    other = new_workspace()
    before = contents(other.export_workspace())
    job = other.import_workspace(packed_anew(files))
    assert (job["status"], job["rows_imported"]) == ("failed", 0)
    assert "instruments.json is not what the manifest says" in job["error"]
    assert contents(other.export_workspace()) == before


def test_an_archive_that_lacks_a_file_is_refused(workspace: Workspace) -> None:
    files = unpacked(workspace.export_workspace())
    del files["markets.json"]
    assert workspace.import_workspace(packed_anew(files))["error"] == "the backup lacks markets.json"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"[]", b"PK\x03\x04" + bytes(1000)])
def test_what_is_no_archive_is_refused(content: bytes, workspace: Workspace) -> None:
    job = workspace.import_workspace(content)
    assert job["status"] == "failed"
    assert "ZIP" in job["error"]


def test_every_shorter_archive_is_refused(workspace: Workspace) -> None:
    archive = workspace.export_workspace()
    for length in range(0, len(archive), len(archive) // 7):
        assert workspace.import_workspace(archive[:length])["status"] == "failed"


def test_a_file_that_unfolds_to_more_than_its_manifest_says_is_refused(workspace: Workspace) -> None:
    files = unpacked(workspace.export_workspace())
    files["markets.json"] = b" " * 100_000_000
    assert workspace.import_workspace(packed_anew(files))["error"] == "markets.json is larger than the manifest says"


def test_a_bad_row_undoes_the_whole_and_is_named(workspace: Workspace, new_workspace: NewWorkspace) -> None:
    fill_all(workspace)
    files = unpacked(workspace.export_workspace())
    rows = json.loads(files["market_listing_suspensions.json"])
    rows[0]["suspended_from"] = "never"
    files["market_listing_suspensions.json"] = json.dumps(rows).encode()
    other = new_workspace()
    job = other.import_workspace(packed_anew(files, honest=True))
    assert (job["status"], job["rows_failed"], job["rows_imported"]) == ("failed", 1, 0)
    [error] = job["errors"]
    assert (error["row"], error["field"]) == (1, "suspended_from")
    assert error["message"].startswith("market_listing_suspensions.json: ")
    failed = [(count["file"], count["created"]) for count in job["files"] if count["failed"]]
    assert failed == [("market_listing_suspensions.json", 0)]
    assert answered(other.robot.post("/instruments/count", json={"archived": "all"}), 200) == {"count": 0}


def test_a_manifest_that_promises_more_rows_than_came_fails_the_restore(
    workspace: Workspace, new_workspace: NewWorkspace
) -> None:
    fill_all(workspace)
    files = unpacked(workspace.export_workspace())
    said = json.loads(files["manifest.json"])
    [file] = [file for file in said["files"] if file["resource"] == "instruments"]
    file["rows"] += 1
    files["manifest.json"] = json.dumps(said).encode()
    other = new_workspace()
    job = other.import_workspace(packed_anew(files))
    assert (job["status"], job["rows_imported"]) == ("failed", 0)
    assert f"instruments: {file['rows'] - 1} instead of {file['rows']}" in job["error"]
    assert answered(other.robot.post("/instruments/count", json={"archived": "all"}), 200) == {"count": 0}


def test_a_backup_comes_back_on_a_server_that_has_another_secret_key(
    workspace: Workspace, database_url: str, tmp_path: Path
) -> None:
    fill_all(workspace)
    archive = workspace.export_workspace()
    with serving(replace(configured(database_url, tmp_path), secret_key="quite another key")) as url:
        slug, token = f"w-{uuid4().hex}", signed_in(url, database_url)
        headers = {"Authorization": f"Bearer {token}"}
        answered(httpx.post(f"{url}/v1/workspaces", json={"slug": slug}, headers=headers), 201)
        elsewhere = Workspace(url, slug, token)
        job = elsewhere.import_workspace(archive)
        assert (job["status"], job["rows_failed"], job["error"]) == ("completed", 0, None), job
        assert contents(elsewhere.export_workspace()) == contents(archive)
