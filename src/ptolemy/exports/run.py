"""The export job: one snapshot of one resource type into one file."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast

from ptolemy.catalogue import EXPORTED, WHOLE_WORKSPACE
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.filters import Condition
from ptolemy.engine.interchange import Interchange, custom_fields
from ptolemy.engine.resource import Resource
from ptolemy.events import log
from ptolemy.exports.cells import number_types
from ptolemy.exports.columns.export import export_values, shape_of
from ptolemy.exports.download import FILES, served_as
from ptolemy.exports.requests import ended
from ptolemy.exports.rows import row_writer, rows
from ptolemy.exports.selection import wanted_rows
from ptolemy.exports.workspace import write_workspace
from ptolemy.files.scratch import scratch_folder
from ptolemy.files.store import FileStore, room_for
from ptolemy.formats import gzip
from ptolemy.jobs import records
from ptolemy.jobs.job import Cancelled, Job
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.json import decode_exact
from ptolemy.kernel.problems import Problem
from ptolemy.resources.time_series_values import TimeSeriesValues

KEPT_DAYS = 7
_NO_ROOM = "the server's temporary directory has no room for the export"


@dataclass(frozen=True)
class Written:
    rows: int
    size: int
    sha256: str


class ExportHandler:
    def __init__(self, database: Database, files: FileStore) -> None:
        self._database, self._files = database, files

    async def run(self, job: Job) -> None:
        caller = Caller.unpacked(job.workspace_id, job.payload)
        row = await records.begin(self._database, caller, job, "exports", "rows_written = 0")
        if row is None:
            return
        try:
            job.check_in()
            with scratch_folder("export") as folder:
                path = folder / "file"
                written = await self._write(job, caller, row, path)
                await self._keep(job, row, written, path)
            await self._end(job, caller, "completed", written=written)
        except Cancelled:
            await self._end(job, caller, "cancelled")
        except Problem as problem:
            await self._end(job, caller, "failed", error=problem.detail)

    async def gave_up(self, job: Job, reason: str) -> None:
        await self._end(job, Caller.unpacked(job.workspace_id, job.payload), "failed", error=reason)

    async def _write(self, job: Job, caller: Caller, row: Row, path: Path) -> Written:
        if row["resource_type"] == WHOLE_WORKSPACE:
            return await self._write_workspace(job, caller, path)
        resource = EXPORTED[row["resource_type"]]
        with ExitStack() as stack:
            stack.enter_context(room_for(_NO_ROOM))
            file = _Hashed(stack.enter_context(path.open("wb")))
            out = (
                stack.enter_context(gzip.deflate(cast(BinaryIO, file))) if row["compression"] else cast(BinaryIO, file)
            )
            async with self._database.snapshot(caller) as tx:
                number = await _write_rows(job, tx, resource, row, out)
        return Written(number, file.size, file.sha256.hexdigest())

    async def _write_workspace(self, job: Job, caller: Caller, path: Path) -> Written:
        with room_for(_NO_ROOM), path.open("w+b") as file:
            async with self._database.snapshot(caller) as tx:
                number = await write_workspace(tx, file, job.check_in)
            file.seek(0)
            # Read once more: what can't be read again is no backup.
            digest = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
            return Written(number, file.tell(), digest.hexdigest())

    async def _keep(self, job: Job, row: Row, written: Written, path: Path) -> None:
        # A worker that comes late would leave a file that nobody removes.
        async with self._database.session() as session:
            await job.still_ours(session)
        await self._files.put(FILES.key(job.workspace_id, job.id, written.sha256), path, served_as(row))

    async def _end(
        self, job: Job, caller: Caller, status: str, *, written: Written | None = None, error: str | None = None
    ) -> None:
        """The last commit: what came of it, status and event, and the job is done."""
        found = [Sql.of("error = ?", error)]
        if written:
            file = Sql.of(
                "row_count = ?, rows_written = ?, file_size = ?, sha256 = ?, file_expires_at = now() + ?::interval",
                written.rows,
                written.rows,
                written.size,
                written.sha256,
                timedelta(days=KEPT_DAYS),
            )
            found.append(file)
        async with self._database.transaction(caller) as tx:
            if await records.end(tx, "exports", job.id, status, *found):
                await log.record(tx, [ended(job.id, "processing", status)])
            await job.finish(tx)


async def _write_rows(job: Job, tx: Transaction, resource: Resource, row: Row, out: BinaryIO) -> int:
    condition = Condition.model_validate(decode_exact(row["filter"])) if row["filter"] else None
    wanted, _ = await wanted_rows(tx, type(resource), condition, include_archived=row["include_archived"])
    interchange = Interchange(type(resource))
    custom = await custom_fields(tx, interchange)
    numbers = await number_types(tx, interchange, custom, wanted, row["numbers"] or "string")
    if isinstance(resource, TimeSeriesValues):
        shape = await shape_of(tx, row["format"], custom, numbers)
        return await export_values(tx, out, shape, wanted, each_block=lambda _: job.check_in())
    writer = row_writer(out, row["format"], interchange, custom, numbers)
    number = 0
    async for batch in rows(tx, interchange, wanted):
        job.check_in()
        await asyncio.to_thread(writer.write, batch)
        number += len(batch)
    await asyncio.to_thread(writer.end)
    return number


class _Hashed:
    """A file that is hashed as it is written, so that it needn't be read again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size, self.sha256 = file, 0, hashlib.sha256()

    def write(self, content: bytes | memoryview) -> int:
        self.sha256.update(content)
        written = self._file.write(content)
        self.size += written
        return written

    def flush(self) -> None:
        self._file.flush()

    @property
    def closed(self) -> bool:
        return self._file.closed
