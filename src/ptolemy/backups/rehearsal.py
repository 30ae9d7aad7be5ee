"""Rehearsing a backup: it is restored into a scratch workspace, exported again, and compared byte by byte.

The scratch workspace lies in temporary tables of one session (`scratch`). What else was thought of:

- A real workspace, committed and removed afterwards, could be listed, counted and met in feeds unless every statement
  knew better, and stays where a worker is killed.
- One transaction over the real tables that is rolled back leaves nothing either, but holds back the event feed of
  every workspace until the restore and the export are done, and leaves dead rows in everybody's tables.

Temporary tables are invisible to all others, gone with the session whatever kills it, and written without a log; the
session commits batch by batch, so it holds nobody back. The restore and the export are the very functions that users'
jobs run. docs/decisions/0014 weighs them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal, NamedTuple

from ptolemy.backups.archive.diff import Difference, compare
from ptolemy.backups.scratch import commit_so_far, scratch_workspace
from ptolemy.database.pool import Database
from ptolemy.database.transaction import Transaction
from ptolemy.exports.workspace import write_workspace
from ptolemy.files.scratch import scratch_folder
from ptolemy.files.store import room_for
from ptolemy.formats.archive_reader import Archive, open_archive
from ptolemy.formats.manifest import Manifest, PackedFile
from ptolemy.formats.rows import UnreadableFile
from ptolemy.imports.pipeline import checked
from ptolemy.imports.progress import Outcome
from ptolemy.imports.source import unfolding_limit
from ptolemy.imports.workspace import FileCount, restore
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.problems import Conflict, TooLarge

Result = Literal["passed", "failed"]
Step = Literal["check", "restore", "export", "remove", "compare"]

_FIRST = 10
_MOST_FINDINGS = 100


@dataclass(frozen=True)
class RehearsalFinding:
    """One thing that is wrong, in the user's words; `rows` are the first and the last row of the file, from 1."""

    code: str
    message: str
    file: str | None = None
    rows: tuple[int, int] | None = None
    records: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)


@dataclass
class FileOutcome:
    """Of one file: the rows it should come to, those restored, and those exported again."""

    file: str
    expected: int
    restored: int = 0
    failed: int = 0
    exported: int | None = None
    identical: bool | None = None
    """Whether the exported file has the same bytes; null where it didn't come to that."""


@dataclass
class Rehearsal:
    findings: list[RehearsalFinding] = field(default_factory=list)
    files: list[FileOutcome] = field(default_factory=list)
    seconds: dict[Step, float] = field(default_factory=dict)
    """How long each step took, of those that it came to."""

    @property
    def result(self) -> Result:
        return "failed" if self.findings else "passed"

    @property
    def passed(self) -> bool:
        return not self.findings

    @property
    def rows(self) -> int:
        """Those restored so far."""
        return sum(file.restored for file in self.files)

    def find(self, finding: RehearsalFinding) -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(finding)


class _Watch(NamedTuple):
    """Whoever waits for the rehearsal."""

    check_in: Callable[[], None]
    told: Callable[[Rehearsal], Awaitable[None]] | None


async def rehearse(
    database: Database,
    caller: Caller,
    archive: Path,
    *,
    check_in: Callable[[], None],
    unpacked_limit_bytes: int,
    told: Callable[[Rehearsal], Awaitable[None]] | None = None,
) -> Rehearsal:
    """Whether the archive of a workspace can be restored, and gives back what it holds.

    What is wrong with the backup is a finding; what is wrong with the server is raised. `check_in` is asked batch by
    batch, and may end it all; `told` hears how far the restore is.
    """
    found = Rehearsal()
    with scratch_folder("rehearsal") as folder:
        copy = folder / "copy.zip"
        try:
            with open_archive(archive) as opened:
                with _timed(found, "check"):
                    limit = await unfolding_limit(archive, unpacked_limit_bytes)
                    await asyncio.to_thread(opened.check, limit)
                await _restored_and_exported(database, caller, opened, copy, found, _Watch(check_in, told))
                if not found.findings:
                    with _timed(found, "compare"):
                        await _compare(opened.manifest, archive, copy, found)
        except (UnreadableFile, TooLarge, Conflict) as problem:
            found.find(RehearsalFinding(problem.code, problem.detail))
    return found


async def _restored_and_exported(
    database: Database, caller: Caller, archive: Archive, copy: Path, found: Rehearsal, watch: _Watch
) -> None:
    found.files = [FileOutcome(file.name, file.rows) for file in archive.manifest.files]
    started = time.perf_counter()
    async with scratch_workspace(database, caller.actor) as tx:
        await _restore(tx, archive, found, watch)
        found.seconds["restore"] = time.perf_counter() - started
        if not found.findings:
            with _timed(found, "export"):
                await _export(tx, copy, watch.check_in)
        started = time.perf_counter()
    found.seconds["remove"] = time.perf_counter() - started


async def _restore(tx: Transaction, archive: Archive, found: Rehearsal, watch: _Watch) -> None:
    outcomes = {file.file: file for file in found.files}

    async def told(count: FileCount, outcome: Outcome) -> None:
        file = outcomes[count.file]
        file.restored, file.failed = count.created, count.failed
        for error in outcome.errors:
            where = f"row {error.row}: " + (f"{error.field}: " if error.field else "")
            fields = [error.field] if error.field else []
            found.find(
                RehearsalFinding(error.code, where + error.message, count.file, (error.row, error.row), fields=fields)
            )
        await commit_so_far(tx)
        if watch.told:
            await watch.told(found)

    await restore(tx, archive, lambda pipeline: checked(pipeline, watch.check_in), told)


async def _export(tx: Transaction, copy: Path, check_in: Callable[[], None]) -> None:
    with room_for("the server's temporary directory has no room for the rehearsal"), copy.open("w+b") as out:
        await write_workspace(tx, out, check_in)


async def _compare(manifest: Manifest, archive: Path, copy: Path, found: Rehearsal) -> None:
    with open_archive(copy) as opened:
        again = {file.resource: file for file in opened.manifest.files}
    outcomes = {file.file: file for file in found.files}
    others: dict[str, PackedFile] = {}
    for file in manifest.files:
        outcome, written = outcomes[file.name], again[file.resource]
        outcome.exported, outcome.identical = written.rows, written.sha256 == file.sha256
        if not outcome.identical:
            others[file.resource] = file
    if not others:
        return
    comparison = await asyncio.to_thread(compare, archive, copy, others.keys())
    for damage in comparison.findings:
        found.find(RehearsalFinding(damage.kind, damage.message, damage.file, damage.rows, list(damage.records)))
    differences = {each.resource: each for each in comparison.differences}
    for resource, file in others.items():
        if finding := _finding(file, differences[resource], manifest.product_version):
            found.find(finding)


def _finding(file: PackedFile, difference: Difference, product_version: str) -> RehearsalFinding | None:
    if not (difference.added or difference.removed or difference.changed):
        if product_version != version("ptolemy-data"):
            return None  # another version may write the same rows in another way
        message = "its rows come back the same, but not byte by byte: another program has written or changed it"
        return RehearsalFinding("other_bytes", message, file.name)
    kinds = {"changed": difference.changed, "removed": difference.removed, "added": difference.added}
    said = [_said(kind, count) for kind, count in kinds.items() if count]
    fields = sorted(difference.fields)
    message = ", ".join(said) + (f" ({', '.join(fields)})" if fields else "")
    records = [record for kind in kinds for record in difference.first.get(kind, [])][:_FIRST]
    return RehearsalFinding("different", message, file.name, difference.rows, records, fields)


def _said(kind: str, count: int) -> str:
    one = {"changed": "comes back changed", "removed": "doesn't come back", "added": "comes back that isn't in it"}
    many = {"changed": "come back changed", "removed": "don't come back", "added": "come back that aren't in it"}
    return f"1 row {one[kind]}" if count == 1 else f"{count:,} rows {many[kind]}"


@contextmanager
def _timed(found: Rehearsal, step: Step) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        found.seconds[step] = time.perf_counter() - started
