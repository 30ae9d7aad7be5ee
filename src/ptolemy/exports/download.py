"""How the file of an export is called and what it is, for whoever downloads it."""

from __future__ import annotations

from ptolemy.database.transaction import Row
from ptolemy.files.store import ServedAs

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
