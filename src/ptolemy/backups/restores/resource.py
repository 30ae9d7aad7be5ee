"""The restore of a backup into a new workspace, as its user sees it; the engine reads it, only this room writes it."""

from __future__ import annotations

from ptolemy.engine.fields import Choice, Integer, RecordId, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.imports.resource import FileCounts
from ptolemy.jobs.records import STATUSES


class BackupRestores(Resource):
    """A backup on its way into a new workspace, which is there as a whole at the end, or not at all."""

    singular = "restore"
    collection = "backup-restores"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    listed_by = ("backup_id", "status")

    backup_id = RecordId(required=True)
    slug = Text(required=True)
    name = Text(required=True)
    new_workspace_id = RecordId(required=True)
    status = Choice(*STATUSES, required=True)
    rows_restored = Integer(required=True)
    rows_failed = Integer(required=True)
    files = FileCounts(required=True)
    error = Text()
    created_by = RecordId()
    started_at = Timestamp()
    completed_at = Timestamp()
