"""An import as its user sees it; the engine reads it, only this room writes it."""

from typing import Any

import msgspec

from ptolemy.engine.fields import Boolean, Choice, Documented, Integer, Json, RecordId, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.jobs.records import STATUSES
from ptolemy.kernel.json import decode_exact, encode

_COUNTS = ("expected", "created", "changed", "unchanged", "failed")


class ErrorSummary(Documented):
    """The failed rows by code and field: how many, and which ones first; of a whole workspace, by `file` besides."""

    shown = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "file": {"type": "string"},
                "code": {"type": "string"},
                "field": {"type": ["string", "null"]},
                "count": {"type": "integer"},
                "first_rows": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["code", "field", "count", "first_rows"],
        },
    }


class FileCounts(Json):
    """Of a whole workspace: what each file should come to and what became of it."""

    shown = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "file": {"type": "string"},
                **{name: {"type": "integer"} for name in _COUNTS},
            },
            "required": ["file", *_COUNTS],
        },
    }

    def show(self, stored: Any) -> msgspec.Raw:
        names = self.shown["items"]["properties"]
        return msgspec.Raw(encode([{name: count.get(name, 0) for name in names} for count in decode_exact(stored)]))


class Imports(Resource):
    """One file on its way into the workspace."""

    singular = "import"
    collection = "imports"
    lifecycle = Lifecycle(archive=False, hard_delete=False)

    resource_type = Text(required=True)
    format = Choice("json", "csv", "ndjson", "parquet", "zip")
    status = Choice(*STATUSES, required=True)
    on_error = Choice("abort", "continue", required=True)
    identifier_column = Text()
    dry_run = Boolean(required=True)
    into_existing = Boolean()
    file_name = Text()
    file_size = Integer(required=True)
    sha256 = Text(required=True)
    row_count = Integer()
    rows_processed = Integer(required=True)
    rows_imported = Integer(required=True)
    rows_updated = Integer(required=True)
    rows_failed = Integer(required=True)
    error_summary = ErrorSummary(required=True)
    files = FileCounts()
    error = Text()
    created_by = RecordId()
    started_at = Timestamp()
    completed_at = Timestamp()
