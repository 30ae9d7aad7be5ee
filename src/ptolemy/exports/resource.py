"""An export as its user sees it; the engine reads it, only this room writes it."""

from ptolemy.engine.fields import Boolean, Choice, Integer, Json, RecordId, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.jobs.records import STATUSES


class Exports(Resource):
    """One file of one resource type, as of one instant."""

    singular = "export"
    collection = "exports"
    lifecycle = Lifecycle(archive=False, hard_delete=False)

    resource_type = Text(required=True)
    format = Choice("json", "csv", "ndjson", "parquet", "zip", required=True)
    compression = Choice("gzip")
    numbers = Choice("string", "decimal", "float64")
    include_archived = Boolean(required=True)
    filter = Json()
    status = Choice(*STATUSES, required=True)
    row_count = Integer()
    rows_written = Integer(required=True)
    file_size = Integer()
    sha256 = Text()
    error = Text()
    created_by = RecordId()
    started_at = Timestamp()
    completed_at = Timestamp()
    file_expires_at = Timestamp()
    file_removed_at = Timestamp()
