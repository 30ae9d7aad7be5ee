"""A worker killed in the middle of a rehearsal leaves nothing, and the next one rehearses anew."""

from __future__ import annotations

from uuid import UUID

from tests.backups.rehearsing import asked, sent
from tests.faults.files import good_instruments
from tests.faults.ground import Ground, kill
from tests.faults.imports import endings
from tests.product import answered, wait_for

TEMPORARY = "select relname from pg_class where relpersistence = 't'"


def test_a_rehearsal_survives_killed_workers_and_leaves_nothing(ground: Ground) -> None:
    workspace = ground.workspace()
    worker = ground.worker()
    workspace.import_file("instruments", good_instruments().content)
    archive = workspace.export_workspace()
    kill(worker)
    job = answered(asked(workspace, sent(workspace, archive)), 202)
    for _ in range(3):
        worker = ground.worker()
        wait_for(lambda: ground.sight.column(TEMPORARY) or None)
        kill(worker)
        # PostgreSQL notices that nobody is there, and the tables go.
        wait_for(lambda: True if not ground.sight.column(TEMPORARY) else None)
        assert ground.sight.value("select status from rehearsals where id = $1", UUID(job["id"])) == "processing"
    ground.worker()
    ended = workspace.finished("backups/rehearsals", job)
    assert (ended["status"], ended["result"]) == ("completed", "passed"), ended
    assert endings(ground, job) == ["rehearsal.completed"]
    assert ground.sight.value("select count(*) from workspaces where slug = 'scratch'") == 0
    assert ground.sight.value("select used_by from uploads where id = $1", UUID(ended["upload_id"])) is None
