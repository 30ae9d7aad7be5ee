"""A worker killed while it restores into a workspace that holds data leaves nothing of it; the next one does it all."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.backups.archives import contents
from tests.faults.files import ROWS, good_instruments
from tests.faults.ground import Ground, kill
from tests.faults.imports import endings, under_way, wait_until_processed
from tests.product import Workspace, answered, wait_for


def changed(ground: Ground, workspace: Workspace) -> int:
    """How many instruments are not as the archive has them."""
    statement = (
        "select count(*) from instruments i join workspaces w on w.id = i.workspace_id"
        " where w.slug = $1 and i.name = 'Changed'"
    )
    return int(ground.sight.value(statement, workspace.slug))


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_a_killed_restore_leaves_nothing_or_all(ground: Ground, on_error: str) -> None:
    workspace = ground.workspace()
    ground.worker()
    workspace.import_file("instruments", good_instruments().content)
    archive = workspace.export_workspace()
    rows = "".join(f"i{number},Changed\n" for number in range(1, ROWS) if number % 5)
    files, asked = {"file": f"identifier,name\n{rows}".encode()}, {"resource_type": "instruments"}
    answer = workspace.robot.post("/imports", files=files, data=asked | {"identifier_column": "identifier"})
    number = workspace.finished("imports", answered(answer, 202))["rows_updated"]
    ground.end_workers()
    options = {"resource_type": "workspace", "into_existing": "true", "on_error": on_error}
    job = answered(workspace.admin.post("/imports", files={"file": archive}, data=options), 202)
    for attempt in (1, 2):
        worker = ground.worker()
        wait_until_processed(ground, job, ROWS // 3 * attempt, attempt)
        kill(worker)
        assert under_way(ground, job), "the restore ended before its worker was killed"
        assert changed(ground, workspace) == number
    ground.worker()
    ended = workspace.finished("imports", job)
    assert (ended["status"], ended["rows_updated"], ended["rows_failed"]) == ("completed", number, 0)
    assert ended["rows_processed"] == ended["row_count"] == sum(count["expected"] for count in ended["files"])
    assert contents(workspace.export_workspace()) == contents(archive)
    assert endings(ground, job) == ["import.completed"]
    told = "select count(*) from events where resource_id = any($1) and event_type = 'instrument.updated'"
    ids = [UUID(row["id"]) for row in workspace.admin.get("/instruments", params={"limit": 200}).json()["data"]]
    assert ground.sight.value(told, ids) == 2 * len(ids)
    wait_for(lambda: True if not ground.uploads() else None)
