"""The archive of a workspace goes back into one that holds data: each record becomes what the archive says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.backups.archives import contents, packed_anew, unpacked
from tests.backups.stock import fill_all
from tests.product import Workspace, answered, problem, refused_fields

NewWorkspace = Callable[[], Workspace]


def events(workspace: Workspace, after: str | None = None) -> list[dict[str, Any]]:
    """All events, those of jobs left out."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 200}
    while True:
        page = answered(workspace.admin.get("/events", params=query), 200)
        found += page["data"]
        if not page["meta"]["has_more"]:
            return [each for each in found if each["resource_type"] not in ("import", "export")]
        query["after"] = page["meta"]["next_cursor"]


def told(job: dict[str, Any], what: str) -> dict[str, int]:
    """By file, where there are any."""
    return {count["file"].removesuffix(".json"): count[what] for count in job["files"] if count[what]}


def test_an_archive_over_equal_data_changes_nothing(workspace: Workspace) -> None:
    fill_all(workspace)
    archive, before = workspace.export_workspace(), events(workspace)
    job = workspace.import_workspace(archive, into_existing=True)
    assert (job["status"], job["rows_imported"], job["rows_updated"], job["rows_failed"]) == ("completed", 0, 0, 0), job
    assert job["into_existing"] is True
    assert all(count["unchanged"] == count["expected"] > 0 for count in job["files"])
    assert contents(workspace.export_workspace()) == contents(archive)
    assert events(workspace) == before
