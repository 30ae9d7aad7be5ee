"""The import job: a file into the workspace, whole or row by row, whatever happens to the worker.

`continue` commits batch by batch, the progress with its rows: a worker killed at any moment has lost and doubled
nothing, and the next one goes on behind the last committed batch. `abort` is one transaction: a killed worker leaves
nothing of it, and the next one starts anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptolemy.catalogue import EXPORTED, WHOLE_WORKSPACE
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events import log
from ptolemy.files.store import FileStore
from ptolemy.formats.archive_reader import open_archive
from ptolemy.formats.detection import detect
from ptolemy.imports.opening import Opening, open_file
from ptolemy.imports.pipeline import Pipeline, checked
from ptolemy.imports.progress import Outcome, Progress, store_errors, store_files, store_progress
from ptolemy.imports.requests import ended
from ptolemy.imports.source import let_go, opened_source, unfolding_limit
from ptolemy.imports.workspace import FileCount, restore, restore_into_existing
from ptolemy.jobs import records
from ptolemy.jobs.job import Cancelled, Job
from ptolemy.kernel import metrics
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.problems import Problem
from ptolemy.plans import item_quota
from ptolemy.plans.item_quota import ItemQuotaExceeded

_MANY_ROWS = 1000
_COUNTS = ("rows_processed", "rows_imported", "rows_updated", "rows_failed")


class _Undone(Exception):
    """Ends the transaction of a rehearsal."""


class RowsRefused(Exception):
    """An `abort` import has bad rows: nothing of it stays."""


class ImportHandler:
    """Runs imports. `unpacked_limit_bytes` is what any compressed file may unfold to."""

    def __init__(self, database: Database, files: FileStore, *, unpacked_limit_bytes: int) -> None:
        self._database, self._files, self._limit = database, files, unpacked_limit_bytes

    async def run(self, job: Job) -> None:
        await self._run(job)
        # Every row and every error is in the database now.
        await let_go(self._database, self._files, Caller.unpacked(job.workspace_id, job.payload), job.id)

    async def _run(self, job: Job) -> None:
        caller = Caller.unpacked(job.workspace_id, job.payload)
        row = await self._begin(job, caller)
        if row is None:
            return None
        progress = Progress.of(row)
        try:
            job.check_in()
            if row["resource_type"] == WHOLE_WORKSPACE:
                return await self._workspace(job, caller, progress, row)
            async with (
                opened_source(self._database, self._files, caller, job.id) as path,
                self._opened(job, caller, row, path) as pipeline,
            ):
                if row["dry_run"]:
                    await self._rehearsed(job, caller, pipeline, progress, row)
                elif row["on_error"] == "abort":
                    await self._all_or_nothing(job, caller, pipeline, progress)
                else:
                    await self._batch_by_batch(job, caller, pipeline, progress)
            await self._analyze(caller, row, progress)
        except Cancelled:
            await self._end(job, caller, progress, _Ending("cancelled", _stays(row)))
        except RowsRefused:
            reason = f"{progress.failed} of {progress.processed} rows are bad, so nothing was imported"
            await self._end(job, caller, progress, _Ending("failed", False, reason, row_count=progress.processed))
        except Problem as problem:
            await self._end(job, caller, progress, _Ending("failed", _stays(row), problem.detail))

    async def gave_up(self, job: Job, reason: str) -> None:
        caller = Caller.unpacked(job.workspace_id, job.payload)
        async with self._database.transaction(caller) as tx:
            if await records.end(tx, "imports", job.id, "failed", Sql.of("error = ?", reason)):
                await log.record(tx, [ended(job.id, "failed", {"error": reason})])
            await job.finish(tx)
        await let_go(self._database, self._files, caller, job.id)

    async def _begin(self, job: Job, caller: Caller) -> Row | None:
        """Marks the import as being worked on; None where it has ended already."""
        row = await records.begin(self._database, caller, job, "imports")
        if row is None or _stays(row) or not row["rows_processed"]:
            return row
        await self._start_anew(job, caller)
        return dict(row) | dict.fromkeys(_COUNTS, 0) | {"error_summary": "[]"}

    async def _start_anew(self, job: Job, caller: Caller) -> None:
        """What a killed worker has told of an import of which nothing stayed is told again."""
        async with self._database.transaction(caller) as tx:
            await tx.run(
                Sql.of("delete from import_errors where workspace_id = ? and import_id = ?", tx.workspace_id, job.id)
            )
            await store_progress(tx, job.id, Progress(), kept=False)
            await job.still_ours(tx)

    @asynccontextmanager
    async def _opened(self, job: Job, caller: Caller, row: Row, path: Path) -> AsyncIterator[Pipeline[Any]]:
        """The file's pipeline; what the file is, is told before anything of it is refused."""
        detected = await asyncio.to_thread(detect, path)
        await self._tell_format(job, caller, detected.format)
        resource, key = EXPORTED[row["resource_type"]], row["identifier_column"]
        limit = await unfolding_limit(path, self._limit)
        async with open_file(Opening(self._database, caller, resource, path, detected, limit, key)) as pipeline:
            yield pipeline

    async def _tell_format(self, job: Job, caller: Caller, file_format: str) -> None:
        async with self._database.transaction(caller) as tx:
            await tx.run(
                Sql.of(
                    "update imports set format = ? where workspace_id = ? and id = ?",
                    file_format,
                    tx.workspace_id,
                    job.id,
                )
            )

    async def _batch_by_batch(self, job: Job, caller: Caller, pipeline: Pipeline[Any], progress: Progress) -> None:
        skip = progress.processed
        async with aclosing(checked(pipeline, job.check_in)) as batches:
            async for batch in batches:
                rows = pipeline.rows_in(batch)
                if skip >= rows:
                    skip -= rows
                    continue
                try:
                    await self._one_batch(job, caller, pipeline, batch, progress)
                except ItemQuotaExceeded:
                    await self._batch_in_the_room(job, caller, pipeline, batch, progress)
        await self._end(job, caller, progress, _completed(progress))

    async def _batch_in_the_room(
        self, job: Job, caller: Caller, pipeline: Pipeline[Any], batch: Any, progress: Progress
    ) -> None:
        """The rows that the plan has room for go in, those beyond it fail; once more where others take that room."""
        while True:
            with suppress(ItemQuotaExceeded):
                return await self._one_batch(job, caller, pipeline, batch, progress, room_of=item_quota.room)

    async def _one_batch(
        self,
        job: Job,
        caller: Caller,
        pipeline: Pipeline[Any],
        batch: Any,
        progress: Progress,
        *,
        room_of: Callable[[Transaction], Awaitable[int | None]] | None = None,
    ) -> None:
        async with pipeline.begin(self._database, caller) as tx:
            await job.let_go_when_frozen(tx)
            # A crash of the machine may take the last batches along, but their progress with them.
            await tx.run(Sql("set local synchronous_commit = off"))
            outcome = await pipeline.write(tx, batch, await room_of(tx) if room_of else None)
            # Before the progress is told: it may be that not all of them have room.
            await tx.settle()
            progress.add(outcome)
            await store_errors(tx, job.id, outcome.errors)
            await store_progress(tx, job.id, progress, kept=True)
            await job.still_ours(tx)

    async def _all_or_nothing(self, job: Job, caller: Caller, pipeline: Pipeline[Any], progress: Progress) -> None:
        async with pipeline.begin(self._database, caller) as tx:
            await self._all_batches(tx, job, caller, pipeline, progress)
            if progress.failed:
                raise RowsRefused
            await self._finish(tx, job, progress, _completed(progress))

    async def _rehearsed(self, job: Job, caller: Caller, pipeline: Pipeline[Any], progress: Progress, row: Row) -> None:
        """Everything a real import does, undone; the job tells what would have come of it."""
        with suppress(_Undone):
            async with pipeline.begin(self._database, caller) as tx:
                await self._all_batches(tx, job, caller, pipeline, progress)
                raise _Undone
        kept = row["on_error"] == "continue" or not progress.failed
        await self._end(job, caller, progress, _Ending("completed", kept, row_count=progress.processed, rehearsed=True))

    async def _all_batches(
        self, tx: Transaction, job: Job, caller: Caller, pipeline: Pipeline[Any], progress: Progress
    ) -> None:
        """The whole file in one transaction."""
        await job.let_go_when_frozen(tx)
        # As far as is known now: whether there is room to the end, the commit will tell.
        room = await item_quota.room(tx)
        async with aclosing(checked(pipeline, job.check_in)) as batches:
            async for batch in batches:
                outcome = await pipeline.write(tx, batch, None if room is None else room - sum(tx.tally.values()))
                progress.add(outcome)
                # Told beside the import's own transaction, which may take long or be undone.
                async with self._database.transaction(caller) as beside:
                    await store_errors(beside, job.id, outcome.errors)
                    await store_progress(beside, job.id, progress, kept=False)
                    await job.still_ours(beside)

    async def _workspace(self, job: Job, caller: Caller, progress: Progress, row: Row) -> None:
        """A whole workspace in one transaction; it is completed only when every row of the manifest is accounted for.

        Under `continue` the bad rows stay out, else nothing stays where one is bad.
        """
        files: dict[str, FileCount] = {}
        way = restore_into_existing if row["into_existing"] else restore
        keeps = row["on_error"] == "continue"

        async def told(count: FileCount, outcome: Outcome) -> None:
            files[count.file] = count
            progress.add(outcome, count.file)
            errors = [error._replace(message=f"{count.file}: {error.message}") for error in outcome.errors]
            # Told beside the restore's own transaction, which may take long or be undone.
            async with self._database.transaction(caller) as beside:
                await store_errors(beside, job.id, errors)
                await store_progress(beside, job.id, progress, kept=False)
                await store_files(beside, job.id, [each.nothing_stays for each in files.values()])
                await job.still_ours(beside)

        async with opened_source(self._database, self._files, caller, job.id) as path:
            with open_archive(path) as archive, suppress(_Undone):
                await self._tell_format(job, caller, "zip")
                await asyncio.to_thread(archive.check, await unfolding_limit(path, self._limit))
                async with self._database.bulk(caller) as tx:
                    await job.let_go_when_frozen(tx)
                    counts = await way(tx, archive, lambda pipeline: checked(pipeline, job.check_in), told)
                    if row["dry_run"]:
                        raise _Undone
                    if progress.failed and not keeps:
                        raise RowsRefused
                    await store_files(tx, job.id, counts)
                    await self._finish(tx, job, progress, _completed(progress))
        if row["dry_run"]:
            ending = _Ending("completed", keeps or not progress.failed, row_count=progress.processed, rehearsed=True)
            await self._end(job, caller, progress, ending, counts)

    async def _analyze(self, caller: Caller, row: Row, progress: Progress) -> None:
        """Tells the planner of many new rows; until then it would sort the table for every page of a list."""
        if progress.imported >= _MANY_ROWS and not row["dry_run"]:
            async with self._database.bulk(caller) as tx:
                await tx.run(Sql(f"analyze {EXPORTED[row['resource_type']].table}"))

    async def _end(
        self, job: Job, caller: Caller, progress: Progress, ending: _Ending, files: Sequence[FileCount] = ()
    ) -> None:
        async with self._database.transaction(caller) as tx:
            if files:
                await store_files(tx, job.id, files)
            await self._finish(tx, job, progress, ending)

    async def _finish(self, tx: Transaction, job: Job, progress: Progress, ending: _Ending) -> None:
        """The last commit: final counts, status and event, and the job is done."""
        await store_progress(tx, job.id, progress, kept=ending.kept)
        found = Sql.of("error = ?, row_count = ?", ending.error, ending.row_count)
        row = await records.end(tx, "imports", job.id, ending.status, found)
        counts = {
            "rows_imported": progress.imported if ending.kept else 0,
            "rows_updated": progress.updated if ending.kept else 0,
            "rows_failed": progress.failed,
            **({"dry_run": True} if ending.rehearsed else {}),
        }
        if row:
            await log.record(tx, [ended(job.id, ending.status, counts)])
        await job.finish(tx)
        if not ending.rehearsed:
            created, updated = counts["rows_imported"], counts["rows_updated"]
            metrics.rows_imported(created=created, updated=updated, failed=progress.failed)


@dataclass(frozen=True)
class _Ending:
    """How an import ends; `row_count` is known when the file was read to its end."""

    status: str
    kept: bool
    """Whether the rows that were good are in now, or would be after a rehearsal."""
    error: str | None = None
    row_count: int | None = None
    rehearsed: bool = False


def _completed(progress: Progress) -> _Ending:
    return _Ending("completed", True, row_count=progress.processed)


def _stays(row: Row) -> bool:
    """Whether what is in stays in when the import ends early."""
    return row["on_error"] == "continue" and not row["dry_run"] and row["resource_type"] != WHOLE_WORKSPACE
