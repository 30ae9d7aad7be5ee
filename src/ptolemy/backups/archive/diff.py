"""What is different between two backups: rows added, removed and changed, by resource and field.

Files are in order of id, so both are read once, side by side, whatever their size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptolemy.backups.archive.cells import told_by_cells
from ptolemy.backups.archive.files import BackupFile
from ptolemy.backups.archive.findings import Finding
from ptolemy.backups.archive.opening import Backup, open_backup
from ptolemy.catalogue import EXPORTED, RESOURCES

_FIRST = 10
_REFERENCES = {resource.table: resource.references() for resource in RESOURCES}


@dataclass
class Difference:
    """Of one resource: how many rows, the first ids of each kind, and how many changed in which field."""

    resource: str
    added: int = 0
    removed: int = 0
    changed: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[str]] = field(default_factory=dict)
    rows: tuple[int, int] | None = None
    """The first and the last row of the one file, from 1, that is another in the other or isn't there."""

    def tell(self, kind: str, record: str, row: int | None = None) -> None:
        if row is not None:
            self.rows = self.rows[0] if self.rows else row, row
        known = self.first.setdefault(kind, [])
        if len(known) < _FIRST:
            known.append(record)


@dataclass
class Comparison:
    differences: list[Difference]
    findings: list[Finding]
    """What couldn't be compared since a backup is damaged."""

    @property
    def equal(self) -> bool:
        return not any(each.added or each.removed or each.changed for each in self.differences)


def compare(one: Path, other: Path, only: Collection[str] | None = None) -> Comparison:
    """What has to happen to `one` to become `other`; `only` names the resources to look at.

    A file that only one of them has counts as empty in the other. Exported files carry no types and name them by
    identifier: beside such, an archive is compared without its types, and by their identifiers. Beside files of cells
    a custom field that is null is like one that isn't there.
    """
    backups = open_backup(one), open_backup(other)
    sides = [_by_resource(backup) for backup in backups]
    mixed = any(backup.manifest for backup in backups) and not all(backup.manifest for backup in backups)
    names = [_schema_names(side) if mixed else {} for side in sides]
    cells = any(file.cells for side in sides for file in side.values())
    differences = [
        _difference(
            resource.table,
            *(_rows(side.get(resource.table), known, cells=cells) for side, known in zip(sides, names, strict=True)),
        )
        for resource in (EXPORTED.values() if mixed else RESOURCES)
        if any(resource.table in side for side in sides) and (only is None or resource.table in only)
    ]
    findings = [finding for backup in backups for finding in backup.findings]
    findings += [finding for side in sides for file in side.values() for finding in file.findings]
    return Comparison(differences, findings)


def _by_resource(backup: Backup) -> dict[str, BackupFile]:
    return {file.resource: file for file in backup.files}


def _schema_names(side: Mapping[str, BackupFile]) -> dict[str, str]:
    """The identifiers of types, series and statuses, by id."""
    named = [resource.table for resource in RESOURCES if resource.is_schema and resource.named_by == "identifier"]
    return {_id(row): str(row.get("identifier")) for table in named for row in _rows(side.get(table), {})}


def _difference(resource: str, before: Iterator[Mapping[str, Any]], after: Iterator[Mapping[str, Any]]) -> Difference:
    found = Difference(resource)
    old, new, number = next(before, None), next(after, None), 1
    while old is not None or new is not None:
        old_id, new_id = _id(old), _id(new)
        if new is None or (old is not None and old_id < new_id):
            found.removed += 1
            found.tell("removed", old_id, number)
            old, number = next(before, None), number + 1
        elif old is None or new_id < old_id:
            found.added += 1
            found.tell("added", new_id)
            new = next(after, None)
        else:
            if fields := _changed(old, new):
                found.changed += 1
                found.fields.update(fields)
                found.tell("changed", old_id, number)
            old, new, number = next(before, None), next(after, None), number + 1
    return found


def _rows(file: BackupFile | None, names: Mapping[str, str], *, cells: bool = False) -> Iterator[Mapping[str, Any]]:
    """The rows, what refers to a type as `names` call it, and no more of them than `cells` would tell."""
    to_schema = [each.name for each in _REFERENCES[file.resource] if each.target.is_schema] if file and names else []
    for rows in file.rows() if file else ():
        for row in rows.found or ():
            named = {name: names[row[name]] for name in to_schema if row.get(name) in names}
            found = {**row, **named} if named else row
            yield told_by_cells(file.resource, found) if cells and file else found


def _id(row: Mapping[str, Any] | None) -> str:
    return str(row.get("id", "")) if row else ""


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    if old == new:
        return []
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]
