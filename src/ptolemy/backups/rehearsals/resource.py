"""A rehearsal as its user sees it; the engine reads it, only this room writes it."""

from __future__ import annotations

from typing import Any

from ptolemy.engine.fields import Choice, Documented, Integer, RecordId, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.jobs.records import STATUSES

STEPS = ("check", "restore", "export", "remove", "compare")


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


class Findings(Documented):
    """What is wrong with the backup: in which file, which of its rows, which records and fields."""

    shown = {
        "type": "array",
        "items": _object(
            {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "file": {"type": ["string", "null"]},
                "rows": {"type": ["array", "null"], "items": {"type": "integer"}},
                "records": {"type": "array", "items": {"type": "string"}},
                "fields": {"type": "array", "items": {"type": "string"}},
            }
        ),
    }


class FileOutcomes(Documented):
    """Of each file: how many rows it should come to, were restored, were bad, and were exported again."""

    shown = {
        "type": "array",
        "items": _object(
            {
                "file": {"type": "string"},
                **{name: {"type": "integer"} for name in ("expected", "restored", "failed")},
                "exported": {"type": ["integer", "null"]},
                "identical": {"type": ["boolean", "null"]},
            }
        ),
    }


class Seconds(Documented):
    """How long each step took, of those that it came to."""

    shown = {"type": "object", "properties": {step: {"type": "number"} for step in STEPS}}


class Rehearsals(Resource):
    """A backup restored into a scratch workspace that nobody sees, exported again, and compared."""

    singular = "rehearsal"
    collection = "rehearsals"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    listed_by = ("upload_id", "backup_id", "status")

    status = Choice(*STATUSES, required=True)
    upload_id = RecordId()
    backup_id = RecordId()
    file_name = Text()
    file_size = Integer(required=True)
    sha256 = Text(required=True)
    rows_restored = Integer(required=True)
    result = Choice("passed", "failed")
    findings = Findings(required=True)
    files = FileOutcomes(required=True)
    seconds = Seconds(required=True)
    error = Text()
    created_by = RecordId()
    started_at = Timestamp()
    completed_at = Timestamp()
