"""A backup as its user sees it; the engine reads it, only this room writes it."""

from __future__ import annotations

from ptolemy.backups.policies import VERIFY, BackupPolicies
from ptolemy.engine.fields import Choice, Documented, Integer, Mention, RecordId, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.jobs.records import STATUSES


class FileRows(Documented):
    """The files in the archive, each with its number of rows."""

    shown = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"file": {"type": "string"}, "rows": {"type": "integer"}},
            "required": ["file", "rows"],
        },
    }


class Verification(Documented):
    """How the file was looked at, and what was found."""

    shown = {
        "type": "object",
        "properties": {
            "method": {"type": "string", "enum": list(VERIFY[1:])},
            "result": {"type": "string"},
            "findings": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["method", "result", "findings"],
    }


class Backups(Resource):
    """One backup of the whole workspace, as of `taken_at`.

    Where `destination` is null the file lies in the server's own file store, until `file_expires_at`. A file at a
    destination lies at `location`, until retention takes it at `removed_at`. Both are told to admins alone, as policies
    are: for others they are null.
    """

    singular = "backup"
    collection = "backups"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    listed_by = ("policy_id", "status")

    policy_id = Mention(BackupPolicies)
    policy_name = Text()
    status = Choice(*STATUSES, required=True)
    destination = Text()
    format = Choice("zip", required=True)
    due_at = Timestamp()
    taken_at = Timestamp()
    row_count = Integer()
    files = FileRows()
    file_size = Integer()
    sha256 = Text()
    location = Text()
    file_key = Text(hidden=True)
    upload_attempts = Integer(required=True)
    verify = Choice(*VERIFY, required=True)
    verified_at = Timestamp()
    verification = Verification()
    error = Text()
    created_by = RecordId()
    started_at = Timestamp()
    completed_at = Timestamp()
    file_expires_at = Timestamp()
    removed_at = Timestamp()
    removed_reason = Text()
    spared_at = Timestamp(hidden=True)
