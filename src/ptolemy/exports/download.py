"""The file of an export: where it lies, how it is called and what it is, for whoever downloads it."""

from __future__ import annotations

from ptolemy.database.transaction import Row
from ptolemy.files.made_files import MadeFiles
from ptolemy.files.store import ServedAs

FILES = MadeFiles(
    "exports",
    expired="file_expires_at < now() and file_removed_at is null",
    removed="file_removed_at = now()",
    needed="file_removed_at is null",
)

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}


def served_as(export: Row) -> ServedAs:
    name = f"{export['resource_type']}.{export['format']}"
    if export["compression"]:
        return ServedAs(f"{name}.gz", "application/gzip")
    return ServedAs(name, MEDIA_TYPES[export["format"]])
