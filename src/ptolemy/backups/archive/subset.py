"""A part of a backup: one record with what hangs on it, and all that those refer to, as a small backup of its own.

The usual disaster is one wrong hard delete. Files are read as streams; only ids are kept, and none of values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from ptolemy.backups.archive.files import BackupFile
from ptolemy.backups.archive.findings import Finding
from ptolemy.backups.archive.opening import Backup, open_backup
from ptolemy.catalogue import RESOURCES
from ptolemy.engine.resource import Resource
from ptolemy.formats.archive import ArchiveWriter
from ptolemy.formats.json_array import JsonWriter
from ptolemy.formats.manifest import Manifest, encode_manifest
from ptolemy.formats.rows import UnreadableFile
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import NotFound
from ptolemy.kernel.timestamps import parse_timestamp

Row = Mapping[str, Any]
Ids = dict[str, set[str]]
"""By table."""

_TARGETS = {reference.target.table for resource in RESOURCES for reference in resource.references()}


@dataclass
class SubsetReport:
    """The record that was asked for, how many rows of each resource went along, and what of the backup is damaged."""

    resource: str
    id: str
    rows: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def subset(backup: Path, resource: str, name: str, out: Path) -> SubsetReport:
    """Writes to `out` the record that `name` names, an identifier or a UUID, of the kind `resource`: `instrument`.

    An identifier names the active record, else the one archived last. Raises `NotFound` where the backup doesn't hold
    it, and `UnreadableFile` for what is no backup of a whole workspace; nothing is written then.
    """
    wanted = _resource(resource)
    opened = open_backup(backup)
    manifest = _manifest(opened)
    root = _root(opened, wanted, name)
    parts = _Parts(opened, wanted, root)
    report = SubsetReport(resource, root)
    with _replacing(out) as file:
        writer = ArchiveWriter(file)
        for each in opened.files:
            with writer.file(f"{each.resource}.json", each.resource) as content:
                rows = JsonWriter(cast(BinaryIO, content))
                rows.write(encode(row) for row in _rows(each) if parts.take(each.resource, row))
                rows.end()
        writer.end(encode_manifest(_of_part(manifest, writer)))
    report.rows = {each.resource: each.rows for each in writer.files}
    report.findings = [*opened.findings, *(finding for each in opened.files for finding in each.findings)]
    return report


class _Parts:
    """Which rows go along.

    What hangs on the record is found from the top down: rows that refer to what hangs on it. What those refer to is
    found from the bottom up, and a type comes with its fields.
    """

    def __init__(self, backup: Backup, resource: Resource, root: str) -> None:
        self._root = (resource.table, root)
        self._owned: Ids = defaultdict(set, {resource.table: {root}})
        self._needed: Ids = defaultdict(set)
        for each in backup.files:
            self._own(each)
        for each in reversed(backup.files):
            self._need(each)

    def take(self, table: str, row: Row) -> bool:
        return self._hangs_on(table, row) or row.get("id") in self._needed[table] or self._defines(table, row)

    def _own(self, file: BackupFile) -> None:
        table, root_table = file.resource, self._root[0]
        references = _references(table)
        if table != root_table and not any(self._owned[target] for _, target in references):
            return
        growing = True
        while growing:
            before = len(self._owned[table])
            for row in _rows(file):
                if self._hangs_on(table, row):
                    if table in _TARGETS:
                        self._owned[table].add(row["id"])
                    self._refer(table, row)
            # In a tree a child may stand before its parent.
            growing = any(target == table for _, target in references) and len(self._owned[table]) > before

    def _need(self, file: BackupFile) -> None:
        table, seen = file.resource, set[str]()
        if table not in _TARGETS:
            return
        while self._needed[table] - seen:
            asked = self._needed[table] - seen
            for row in _rows(file):
                if row.get("id") in asked:
                    self._refer(table, row)
            seen |= asked

    def _refer(self, table: str, row: Row) -> None:
        for name, target in _references(table):
            if row.get(name):
                self._needed[target].add(row[name])

    def _hangs_on(self, table: str, row: Row) -> bool:
        if table == self._root[0] and row.get("id") == self._root[1]:
            return True
        return any(row.get(name) in self._owned[target] for name, target in _references(table))

    def _defines(self, table: str, row: Row) -> bool:
        """Whether it is a field of a type that goes along."""
        if not _BY_TABLE[table].is_schema:
            return False
        return any(row.get(name) in self._needed[target] for name, target in _references(table))


_BY_TABLE = {resource.table: resource for resource in RESOURCES}
_REFERENCES = {
    resource.table: [(reference.name, reference.target.table) for reference in resource.references()]
    for resource in RESOURCES
}


def _references(table: str) -> list[tuple[str, str]]:
    return _REFERENCES[table]


def _resource(singular: str) -> Resource:
    for resource in RESOURCES:
        if resource.singular == singular:
            return resource
    known = ", ".join(resource.singular for resource in RESOURCES)
    raise NotFound("not_found", f"there is no kind of record {singular!r}: take one of {known}")


def _manifest(backup: Backup) -> Manifest:
    if backup.manifest is None:
        reason = backup.findings[0].message if backup.findings else "it has no manifest"
        raise UnreadableFile("no_backup", f"a part is taken of the backup of a whole workspace: {reason}")
    return backup.manifest


def _root(backup: Backup, resource: Resource, name: str) -> str:
    """The id of the record that a name means."""
    file = next((each for each in backup.files if each.resource == resource.table), None)
    if uuid := as_uuid(name):
        found = [row for row in _all(file) if row.get("id") == str(uuid)]
    elif resource.named_by:
        column, key = resource.named_by, resource.named(name)
        found = [row for row in _all(file) if row.get(column) == key]
    else:
        raise NotFound("not_found", f"{resource.a_called} has no identifier: name it by its UUID")
    if not found:
        damaged = " that can be read" if file is not None and file.findings else ""
        raise NotFound("not_found", f"the backup holds no {resource.called} {name!r}{damaged}")
    return str(max(found, key=_preferred)["id"])


def _preferred(row: Row) -> datetime:
    """The active record, then the one archived last."""
    archived_at = row.get("archived_at")
    return parse_timestamp(archived_at) if archived_at else datetime.max.replace(tzinfo=UTC)


def _all(file: BackupFile | None) -> Iterable[Row]:
    return _rows(file) if file else ()


def _rows(file: BackupFile) -> Iterator[Row]:
    for rows in file.rows():
        yield from rows.found or ()


@contextmanager
def _replacing(out: Path) -> Iterator[BinaryIO]:
    """A file that is there, whole, only when the block has ended well."""
    beside = out.with_name(f"{out.name}.part")
    try:
        with beside.open("wb+") as file:
            yield file
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _of_part(manifest: Manifest, writer: ArchiveWriter) -> Manifest:
    """It is as old as the backup that it is a part of."""
    return Manifest(
        manifest.format,
        manifest.format_version,
        manifest.product_version,
        manifest.created_at,
        manifest.workspace,
        writer.files,
    )
