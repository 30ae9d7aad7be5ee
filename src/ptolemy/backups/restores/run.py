"""The job that restores a backup into a new workspace.

The slug is taken when the restore is asked for, by a workspace that nobody belongs to. Its data, its admin and the end
of the job are one transaction: the workspace is there as a whole or not at all.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from ptolemy.accounts.workspaces import give_up_reserved, open_reserved
from ptolemy.backups.fetching import opened_backup
from ptolemy.backups.restores.requests import ended
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events import log
from ptolemy.files.store import FileStore
from ptolemy.formats.archive_reader import Archive, open_archive
from ptolemy.imports.pipeline import checked
from ptolemy.imports.progress import Outcome
from ptolemy.imports.row_errors import RowError
from ptolemy.imports.source import unfolding_limit
from ptolemy.imports.workspace import FileCount, restore
from ptolemy.jobs import records
from ptolemy.jobs.job import Cancelled, Job
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import Conflict, Problem

_TOLD_SECONDS = 0.5


class RestoreHandler:
    """Runs restores. `unpacked_limit_bytes` bounds what an archive may unfold to."""

    def __init__(self, database: Database, files: FileStore, *, unpacked_limit_bytes: int) -> None:
        self._database, self._files, self._limit = database, files, unpacked_limit_bytes

    async def run(self, job: Job) -> None:
        caller = Caller.unpacked(job.workspace_id, job.payload)
        row = await records.begin(
            self._database, caller, job, "backup_restores", "rows_restored = 0, rows_failed = 0, files = '[]'"
        )
        if row is None:
            return
        try:
            job.check_in()
            async with opened_backup(self._database, self._files, caller, str(row["backup_id"])) as path:
                await self._restore(job, caller, row, path)
        except Cancelled:
            await self._give_up(job, caller, "cancelled")
        except Problem as problem:
            await self._give_up(job, caller, "failed", problem.detail)

    async def gave_up(self, job: Job, reason: str) -> None:
        await self._give_up(job, Caller.unpacked(job.workspace_id, job.payload), "failed", reason)

    async def _restore(self, job: Job, caller: Caller, row: Row, path: Path) -> None:
        progress = _Progress(self._database, job, caller)
        with open_archive(path) as archive:
            await asyncio.to_thread(archive.check, await unfolding_limit(path, self._limit))
            new = Caller(row["new_workspace_id"], caller.actor, caller.request_id)
            async with self._database.bulk(new) as tx:
                await job.let_go_when_frozen(tx)
                counts = await restore_into_new(tx, archive, job, row, progress)
                async with self._database.within(tx, caller) as asking:
                    await _store(asking, job, counts, kept=True)
                    await _close(
                        asking, job, "completed", None, {"rows_restored": sum(each.created for each in counts)}
                    )

    async def _give_up(self, job: Job, caller: Caller, status: str, error: str | None = None) -> None:
        """Nothing of the new workspace stays, and its slug is free again."""
        async with self._database.transaction(caller) as tx:
            await give_up_reserved(tx, job.id)
            await _close(tx, job, status, error, {"error": error} if error else {})


async def restore_into_new(
    tx: Transaction, archive: Archive, job: Job, asked: Row, progress: _Progress
) -> list[FileCount]:
    """Fills the reserved workspace of the transaction, which is the owner's, and makes its creator its admin."""
    counts = await restore(tx, archive, lambda pipeline: checked(pipeline, job.check_in), progress.told)
    if progress.first is not None:
        failed = sum(each.failed for each in counts)
        raise Conflict("rows_refused", f"{failed} rows are bad, so nothing was restored; the first: {progress.first}")
    creator: UUID = asked["created_by"]
    await open_reserved(tx, job.id, creator)
    return counts


class _Progress:
    """How far a restore is, told beside its own transaction, which may take long or be undone."""

    def __init__(self, database: Database, job: Job, caller: Caller) -> None:
        self._database, self._job, self._caller = database, job, caller
        self._files: dict[str, FileCount] = {}
        self._said = 0.0
        self.first: str | None = None
        """The first bad row."""

    async def told(self, count: FileCount, outcome: Outcome) -> None:
        self._files[count.file] = count
        if outcome.errors and self.first is None:
            self.first = _said(count.file, outcome.errors[0])
        if time.monotonic() - self._said < _TOLD_SECONDS and not outcome.errors:
            return
        self._said = time.monotonic()
        async with self._database.transaction(self._caller) as tx:
            await _store(tx, self._job, list(self._files.values()), kept=False)
            await self._job.still_ours(tx)


async def _store(tx: Transaction, job: Job, counts: list[FileCount], *, kept: bool) -> None:
    """Nothing is created before the whole is committed, which is when it is `kept`."""
    files = counts if kept else [replace(each, created=0) for each in counts]
    await tx.run(
        Sql.of(
            "update backup_restores"
            " set rows_restored = ?, rows_failed = ?, files = ?, updated_at = now(), recorded_at = now()"
            " where workspace_id = ? and id = ?",
            sum(each.created for each in counts),
            sum(each.failed for each in counts),
            encode(files).decode(),
            tx.workspace_id,
            job.id,
        )
    )


async def _close(tx: Transaction, job: Job, status: str, error: str | None, found: dict[str, Any]) -> None:
    """The last commit: status and event, and the job is done."""
    if row := await records.end(tx, "backup_restores", job.id, status, Sql.of("error = ?", error)):
        await log.record(tx, [ended(row, status, found)])
    await job.finish(tx)


def _said(file: str, error: RowError) -> str:
    field = f"{error.field}: " if error.field else ""
    return f"{file}, row {error.row}: {field}{error.message}"
