"""A backup is restored into a new workspace, which is there as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.backups.archives import contents
from tests.backups.stock import fill_all
from tests.faults.ground import Sight, seeing
from tests.product import Workspace, answered, problem, refused_fields, wait_for

Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def sight(product_database_url: str) -> Iterator[Sight]:
    with seeing(product_database_url) as seen:
        yield seen


def backed_up(workspace: Workspace) -> dict[str, Any]:
    job = workspace.finished("backups", answered(workspace.admin.post("/backups", json={}), 202))
    assert job["status"] == "completed", job
    return job


def asked(workspace: Workspace, backup: dict[str, Any], **body: Any) -> httpx.Response:
    return workspace.admin.post(f"/backups/{backup['id']}/restore", json=body)


def new_slug() -> str:
    return f"w-{uuid4().hex}"


def restored(workspace: Workspace, backup: dict[str, Any], **body: Any) -> dict[str, Any]:
    return workspace.finished("backups/restores", answered(asked(workspace, backup, **body), 202))


def test_a_backup_comes_back_in_a_new_workspace(workspace: Workspace, events: Events) -> None:
    fill_all(workspace)
    slug, backup = new_slug(), backed_up(workspace)
    job = restored(workspace, backup, slug=slug, name="A copy")
    assert (job["status"], job["error"], job["rows_failed"]) == ("completed", None, 0), job
    assert job["files"] == [
        {
            "file": each["file"],
            "expected": each["rows"],
            "created": each["rows"],
            "changed": 0,
            "unchanged": 0,
            "failed": 0,
        }
        for each in backup["files"]
    ]
    assert job["rows_restored"] == backup["row_count"]
    copy = Workspace(workspace.url, slug, workspace.admin_token)
    found = answered(copy.admin.get("/"), 200)
    assert (found["id"], found["name"], found["role"]) == (job["new_workspace_id"], "A copy", "admin")
    assert contents(copy.export_workspace()) == contents(workspace.export_workspace())
    [event] = events(resource_type="restore")
    assert (event["event_type"], event["resource_identifier"]) == ("restore.completed", slug)
    # Sorted, they are all there at once: the feed waits for the writers of other tests.
    asked = {"filter": {"field": "resource_type", "op": "eq", "value": "workspace"}, "sort": [{"field": "created_at"}]}
    told = answered(copy.admin.post("/events/filter", json=asked), 200)["data"]
    assert [each["event_type"] for each in told] == ["workspace.created"]


def test_the_name_of_a_restored_workspace_is_its_slug_unless_given(workspace: Workspace) -> None:
    assert answered(asked(workspace, backed_up(workspace), slug=(slug := new_slug())), 202)["name"] == slug


def test_a_slug_that_is_taken_is_told_at_once(workspace: Workspace) -> None:
    backup, slug = backed_up(workspace), new_slug()
    problem(asked(workspace, backup, slug=workspace.slug), 409, "duplicate")
    answered(asked(workspace, backup, slug=slug), 202)
    problem(asked(workspace, backup, slug=slug), 409, "duplicate")
    again = httpx.post(f"{workspace.url}/v1/workspaces", json={"slug": slug}, headers=workspace.admin.headers)
    problem(again, 409, "duplicate")


@pytest.mark.parametrize("slug", ["", "A", "a/b", "é" * 5])
def test_a_bad_slug_is_refused(slug: str, workspace: Workspace) -> None:
    assert refused_fields(asked(workspace, backed_up(workspace), slug=slug)) == {"slug": "invalid_slug"}


def test_only_an_admin_restores_into_a_new_workspace(workspace: Workspace) -> None:
    backup = backed_up(workspace)
    answer = workspace.robot.post(f"/backups/{backup['id']}/restore", json={"slug": new_slug()})
    problem(answer, 403, "forbidden")


def test_an_unknown_backup_is_a_404(workspace: Workspace) -> None:
    problem(asked(workspace, {"id": uuid4()}, slug=new_slug()), 404, "not_found")
    problem(asked(workspace, {"id": uuid4()}), 404, "not_found")


def test_nothing_of_a_new_workspace_stays_where_the_restore_fails(
    workspace: Workspace, product_files: Path, sight: Sight, events: Events
) -> None:
    fill_all(workspace)
    backup, slug = backed_up(workspace), new_slug()
    [path] = [each for each in product_files.rglob("*") if backup["id"] in each.name]
    path.write_bytes(path.read_bytes().replace(b"BHP", b"BHQ")[:-1])
    job = restored(workspace, backup, slug=slug)
    assert (job["status"], job["rows_restored"]) == ("failed", 0)
    assert "bytes" in job["error"]
    assert [event["event_type"] for event in events(resource_type="restore")] == ["restore.failed"]
    nothing_stays(sight, job)
    created = httpx.post(f"{workspace.url}/v1/workspaces", json={"slug": slug}, headers=workspace.admin.headers)
    answered(created, 201)


def test_nobody_gets_at_a_workspace_before_it_is_there(workspace: Workspace, sight: Sight) -> None:
    backup, slug = backed_up(workspace), new_slug()
    sight.rows("begin")
    # The job waits for the file's row, so it stays at its beginning.
    sight.rows("lock table market_listing_statuses in access exclusive mode")
    job = answered(asked(workspace, backup, slug=slug), 202)
    coming = Workspace(workspace.url, slug, workspace.admin_token)
    problem(coming.admin.get("/instruments"), 404, "workspace_not_found")
    mine = httpx.get(f"{workspace.url}/v1/workspaces", headers=workspace.admin.headers, params={"limit": 200})
    assert slug not in [each["slug"] for each in answered(mine, 200)["data"]]
    sight.rows("commit")
    assert workspace.finished("backups/restores", job)["status"] == "completed"
    answered(coming.admin.get("/instruments"), 200)


def test_a_cancelled_restore_leaves_nothing(workspace: Workspace, sight: Sight) -> None:
    backup, slug = backed_up(workspace), new_slug()
    sight.rows("begin")
    sight.rows("lock table market_listing_statuses in access exclusive mode")
    job = answered(asked(workspace, backup, slug=slug), 202)
    wait_for(lambda: sight.value("select true from jobs where id = $1 and lease_token is not null", UUID(job["id"])))
    answered(workspace.admin.post(f"/backups/restores/{job['id']}/cancel"), 200)
    sight.rows("commit")
    assert workspace.finished("backups/restores", job)["status"] == "cancelled"
    nothing_stays(sight, job)


def test_removing_a_workspace_ends_what_it_was_restoring(workspace: Workspace, sight: Sight) -> None:
    backup, slug = backed_up(workspace), new_slug()
    sight.rows("begin")
    sight.rows("lock table market_listing_statuses in access exclusive mode")
    job = answered(asked(workspace, backup, slug=slug), 202)
    wait_for(lambda: sight.value("select true from jobs where id = $1 and lease_token is not null", UUID(job["id"])))
    answered(workspace.admin.delete("/", params={"confirm": workspace.slug}), 204)
    sight.rows("commit")
    created = httpx.post(f"{workspace.url}/v1/workspaces", json={"slug": slug}, headers=workspace.admin.headers)
    answered(created, 201)
    wait_for(lambda: True if not sight.value("select true from jobs where kind = 'workspace_removal'") else None)
    nothing_stays(sight, job)


def test_a_backup_is_rehearsed_where_it_lies(workspace: Workspace) -> None:
    fill_all(workspace)
    backup = backed_up(workspace)
    asked = answered(workspace.robot.post("/backups/rehearse", json={"backup_id": backup["id"]}), 202)
    job = workspace.finished("backups/rehearsals", asked)
    assert (job["result"], job["backup_id"], job["sha256"]) == ("passed", backup["id"], backup["sha256"]), job


def test_a_backup_that_is_damaged_by_now_fails_its_rehearsal(workspace: Workspace, product_files: Path) -> None:
    fill_all(workspace)
    backup = backed_up(workspace)
    [path] = [each for each in product_files.rglob("*") if backup["id"] in each.name]
    path.write_bytes(path.read_bytes()[:-1])
    asked = answered(workspace.robot.post("/backups/rehearse", json={"backup_id": backup["id"]}), 202)
    job = workspace.finished("backups/rehearsals", asked)
    assert (job["status"], job["result"]) == ("failed", "failed"), job


def test_a_rehearsal_is_of_a_backup_or_an_upload(workspace: Workspace) -> None:
    both = {"backup_id": str(uuid4()), "upload_id": str(uuid4())}
    assert refused_fields(workspace.robot.post("/backups/rehearse", json=both)) == {"upload_id": "beside_backup"}
    unknown = {"backup_id": str(uuid4())}
    assert refused_fields(workspace.robot.post("/backups/rehearse", json=unknown)) == {"backup_id": "unknown_reference"}


def nothing_stays(sight: Sight, job: dict[str, Any]) -> None:
    new = UUID(job["new_workspace_id"])
    assert not sight.value("select true from workspaces where id = $1", new)
    for table in ("events", "instruments", "time_series_values", "memberships", "item_counts"):
        assert not sight.value(f"select true from {table} where workspace_id = $1", new), table
