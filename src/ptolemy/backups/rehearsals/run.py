"""The rehearsal job: whatever happens to its worker, the next one begins anew, and nothing of the first is left."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

from ptolemy.backups.fetching import Damaged, opened_backup
from ptolemy.backups.rehearsal import Rehearsal, RehearsalFinding, rehearse
from ptolemy.backups.rehearsals.requests import ended, let_go
from ptolemy.backups.verdicts import note_rehearsed
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events import log
from ptolemy.files.store import FileStore
from ptolemy.imports.source import opened_source
from ptolemy.jobs import records
from ptolemy.jobs.job import Cancelled, Job
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import Problem

_TOLD_SECONDS = 0.5
_TOLD_FINDINGS = 10


class RehearsalHandler:
    """Runs rehearsals. `unpacked_limit_bytes` bounds what an archive may unfold to."""

    def __init__(self, database: Database, files: FileStore, *, unpacked_limit_bytes: int) -> None:
        self._database, self._files, self._limit = database, files, unpacked_limit_bytes

    async def run(self, job: Job) -> None:
        caller = Caller.unpacked(job.workspace_id, job.payload)
        row = await records.begin(self._database, caller, job, "rehearsals", "rows_restored = 0, files = '[]'")
        if row is None:
            return
        try:
            job.check_in()
            async with self._source(caller, row) as path:
                found = await self._rehearse(job, caller, path)
        except Cancelled:
            await self._end(job, caller, "cancelled")
        except Damaged as problem:
            found = Rehearsal([RehearsalFinding(problem.code, problem.detail)])
            await self._end(job, caller, "failed", found=found, error=problem.detail)
        except Problem as problem:
            await self._end(job, caller, "failed", error=problem.detail)
        else:
            status = "completed" if found.passed else "failed"
            await self._end(job, caller, status, found=found, error=_said(found) or None, backup_id=row["backup_id"])

    async def gave_up(self, job: Job, reason: str) -> None:
        await self._end(job, Caller.unpacked(job.workspace_id, job.payload), "failed", error=reason)

    def _source(self, caller: Caller, row: Row) -> AbstractAsyncContextManager[Path]:
        """The archive at a path: a backup brought here, or an upload's parts put together."""
        if row["backup_id"] is not None:
            return opened_backup(self._database, self._files, caller, str(row["backup_id"]))
        return opened_source(self._database, self._files, caller, row["id"])

    async def _rehearse(self, job: Job, caller: Caller, path: Path) -> Rehearsal:
        said = time.monotonic()

        async def told(found: Rehearsal) -> None:
            nonlocal said
            if time.monotonic() - said >= _TOLD_SECONDS:
                said = time.monotonic()
                async with self._database.transaction(caller) as tx:
                    await _store(tx, job, found)
                    await job.still_ours(tx)

        return await rehearse(
            self._database,
            caller,
            path,
            check_in=job.check_in,
            unpacked_limit_bytes=self._limit,
            told=told,
        )

    async def _end(
        self,
        job: Job,
        caller: Caller,
        status: str,
        *,
        found: Rehearsal | None = None,
        error: str | None = None,
        backup_id: UUID | None = None,
    ) -> None:
        """The last commit: what was found, status and event, and the job is done; a backup is held to it."""
        async with self._database.transaction(caller) as tx:
            if found:
                await _store(tx, job, found)
            came_to = Sql.of("result = ?, error = ?", found.result if found else None, error)
            if await records.end(tx, "rehearsals", job.id, status, came_to):
                await log.record(tx, [ended(job.id, status, _told(found, error))])
                if found and backup_id:
                    await note_rehearsed(tx, backup_id, found)
            await let_go(tx, job.id)
            await job.finish(tx)


async def _store(tx: Transaction, job: Job, found: Rehearsal) -> None:
    await tx.run(
        Sql.of(
            "update rehearsals"
            " set rows_restored = ?, findings = ?, files = ?, seconds = ?, updated_at = now(), recorded_at = now()"
            " where workspace_id = ? and id = ?",
            found.rows,
            encode(found.findings).decode(),
            encode(found.files).decode(),
            encode({step: round(seconds, 3) for step, seconds in found.seconds.items()}).decode(),
            tx.workspace_id,
            job.id,
        )
    )


def _said(found: Rehearsal) -> str:
    """What is wrong with the backup, in a sentence; empty where nothing is."""
    if not found.findings:
        return ""
    first, *rest = found.findings
    where = f"{first.file}: " if first.file else ""
    return f"{where}{first.message}" + (f" (and {len(rest)} more findings)" if rest else "")


def _told(found: Rehearsal | None, error: str | None) -> dict[str, Any]:
    """What the event says besides: enough for whoever is rung to know what to do."""
    said: dict[str, Any] = {"error": error} if error else {}
    if found:
        said |= {"result": found.result, "rows_restored": found.rows}
        if found.findings:
            said["findings"] = found.findings[:_TOLD_FINDINGS]
    return said
