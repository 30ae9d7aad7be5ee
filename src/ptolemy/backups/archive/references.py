"""Whether a backup is closed: everything that a row refers to is in it, and goes by the name that stands beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ptolemy.backups.archive.files import BackupFile
from ptolemy.backups.archive.findings import Finding
from ptolemy.catalogue import RESOURCES
from ptolemy.engine.fields import Reference
from ptolemy.engine.interchange import Interchange, Name
from ptolemy.engine.resource import Resource
from ptolemy.kernel.identifiers import as_uuid

_FIRST = 10
Names = tuple[str | None, ...]

_RESOURCES: Mapping[str, Resource] = {resource.table: resource for resource in RESOURCES}
TARGETS = {reference.target.table for resource in RESOURCES for reference in resource.references()}


@dataclass
class _Broken:
    """Rows that refer to the same kind of record in vain."""

    count: int = 0
    first: int = 0
    last: int = 0
    records: list[str] = field(default_factory=list)

    def add(self, number: int, record: str) -> None:
        self.count += 1
        self.first, self.last = self.first or number, number
        if len(self.records) < _FIRST:
            self.records.append(record)


class References:
    """Learns the records of all files that others refer to; then checks files, row by row."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, Names]] = {}
        self._damaged: set[str] = set()

    def learn(self, file: BackupFile) -> None:
        resource = type(_RESOURCES[file.resource])
        columns = [resource.named_by] if resource.named_by else [key.token for key in resource.natural_key()]
        names = self._names.setdefault(file.resource, {})
        for rows in file.rows():
            if rows.found is None:
                self._damaged.add(file.resource)
                continue
            for row in rows.found:
                names[row.get("id", "")] = tuple(row.get(column) for column in columns)

    def checker(self, file: BackupFile) -> Checker:
        return Checker(file, self._names, self._damaged)


class Checker:
    """The references of one file."""

    def __init__(self, file: BackupFile, names: Mapping[str, Mapping[str, Names]], damaged: set[str]) -> None:
        self._file, self._damaged = file, damaged
        columns = Interchange(type(_RESOURCES[file.resource]), with_schema=True)
        self._checks: list[tuple[Reference, Mapping[str, Names], Sequence[Name]]] = [
            (reference, names[reference.target.table], [name for name in columns.names if name.reference is reference])
            for reference in columns.resource.references()
            if reference.target.table in names
        ]
        self._lost: dict[str, _Broken] = {}
        self._misnamed: dict[str, _Broken] = {}

    def check(self, first: int, rows: Sequence[Mapping[str, Any]]) -> None:
        for reference, known, beside in self._checks:
            for number, row in enumerate(rows, first):
                key = row.get(reference.name)
                if key is None:
                    continue
                names = known.get(key)
                if names is None:
                    # The six files name types by identifier: their schema is not among them.
                    if isinstance(key, str) and as_uuid(key):
                        self._lost.setdefault(reference.name, _Broken()).add(number, str(row.get("id")))
                elif beside and names != tuple(row.get(name.column) for name in beside):
                    self._misnamed.setdefault(reference.name, _Broken()).add(number, str(row.get("id")))

    def findings(self) -> list[Finding]:
        found = []
        for reference, _, _ in self._checks:
            called, target = reference.target.called, f"{reference.target.table}"
            if broken := self._lost.get(reference.name):
                why = "damaged" if target in self._damaged else "not in the backup"
                message = f"{broken.count} rows refer to {reference.target.a_called} that is {why} ({reference.name})"
                kind = "damaged" if target in self._damaged else "incomplete"
                found.append(self._finding(broken, kind, message))
            if broken := self._misnamed.get(reference.name):
                message = f"{broken.count} rows name another {called} beside {reference.name} than it says"
                found.append(self._finding(broken, "damaged", message))
        return found

    def _finding(self, broken: _Broken, kind: Any, message: str) -> Finding:
        rows = (broken.first, broken.last)
        return Finding(
            self._file.name, kind, message, "all rows but these", self._file.resource, rows, tuple(broken.records)
        )
