"""The data that lies in this package, and the files for import that are made of it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class ImportFile:
    """A file as a user would upload it, and how many rows are in it."""

    resource_type: str
    name: str
    content: bytes
    rows: int


def packaged(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of this package (its sources and licences: LICENCES.md beside it)."""
    content = (files(__package__) / "data" / name).read_bytes()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def csv_file(resource_type: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> ImportFile:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last one is how many there were
        writer.writerow(row)
    return ImportFile(resource_type, f"{resource_type}.csv", text.getvalue().encode(), count)


def json_file(resource_type: str, rows: Sequence[Mapping[str, Any]]) -> ImportFile:
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    return ImportFile(resource_type, f"{resource_type}.json", text.encode(), len(rows))
