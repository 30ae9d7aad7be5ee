"""The backup job: one snapshot of the workspace into a file, its way to the destination, the proof that it is good.

The finished file lies in the server's own file store until its destination has confirmed every byte of it, so that the
upload is tried again and not the backup, by whichever worker comes next.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ptolemy.accounts.workspaces import workspace
from ptolemy.backups.destinations import key_at_destination, open_allowed, open_destination
from ptolemy.backups.fetching import Damaged, fetch
from ptolemy.backups.retention import prune
from ptolemy.backups.runs import OWN_FILES, told
from ptolemy.backups.surroundings import Surroundings
from ptolemy.backups.verdicts import note_verdict
from ptolemy.backups.verification import Verdict, examine
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events import log
from ptolemy.exports.workspace import write_workspace
from ptolemy.files.scratch import scratch_folder
from ptolemy.files.store import FileStore, ServedAs, StorageFull, StorageUnavailable, cause_of, discard, room_for
from ptolemy.formats.archive_reader import open_archive
from ptolemy.jobs import records
from ptolemy.jobs.job import Cancelled, Job
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import NotFound, Problem
from ptolemy.kernel.timestamps import parse_timestamp, write_timestamp

KEPT = timedelta(days=7)
"""How long the server's own copy is kept where there is no other."""
SERVED_AS = ServedAs("workspace.zip", "application/zip")
_NO_ROOM = "the server's temporary directory has no room for the backup"


class Postponed(Exception):
    """The destination takes nothing now: the job goes on later."""


@dataclass(frozen=True)
class Written:
    rows: int
    files: Sequence[dict[str, Any]]
    size: int
    sha256: str
    taken_at: datetime


class BackupHandler:
    def __init__(
        self, database: Database, files: FileStore, surroundings: Surroundings, *, unpacked_limit_bytes: int
    ) -> None:
        self._database, self._files, self._surroundings = database, files, surroundings
        self._unpacked_limit_bytes = unpacked_limit_bytes

    async def run(self, job: Job) -> None:
        caller = Caller.unpacked(job.workspace_id, job.payload)
        run = await records.begin(self._database, caller, job, "backups")
        if run is None:
            return
        try:
            job.check_in()
            if not await self._has_own_copy(run):
                run = await self._write(job, caller, run)
            with scratch_folder("backup") as folder:
                run = await self._deliver(job, caller, run, folder / "file")
                job.check_in()
                verdict = await examine(
                    self._database,
                    caller,
                    folder / "file",
                    run["verify"],
                    check_in=job.check_in,
                    unpacked_limit_bytes=self._unpacked_limit_bytes,
                )
            await self._end(job, caller, run, verdict)
        except Postponed:
            return
        except Cancelled:
            await self._give_up(job, caller, "cancelled")
        except Problem as problem:
            await self._give_up(job, caller, "failed", problem.detail)
        await self._tidy(caller, run)

    async def gave_up(self, job: Job, reason: str) -> None:
        await self._give_up(job, Caller.unpacked(job.workspace_id, job.payload), "failed", reason)

    async def _has_own_copy(self, run: Row) -> bool:
        """Whether an earlier attempt has made the file, and it is still there."""
        if run["sha256"] is None:
            return False
        try:
            size = await self._files.size(OWN_FILES.key_of(run))
            return size == int(run["file_size"])
        except NotFound:
            return False

    # The file.

    async def _write(self, job: Job, caller: Caller, run: Row) -> Row:
        with scratch_folder("backup") as folder:
            path = folder / "file"
            with room_for(_NO_ROOM), path.open("w+b") as file:
                async with self._database.snapshot(caller) as tx:
                    rows = await write_workspace(tx, file, job.check_in)
            written = await asyncio.to_thread(_read_again, path, rows)
            # A worker that comes late would leave a file that nobody removes.
            async with self._database.session() as session:
                await job.still_ours(session)
            await self._files.put(OWN_FILES.key(job.workspace_id, job.id, written.sha256), path, SERVED_AS)
        return await self._note_written(job, caller, run, written)

    async def _note_written(self, job: Job, caller: Caller, run: Row, written: Written) -> Row:
        async with self._database.transaction(caller) as tx:
            file_key = None
            if run["destination"] is not None:
                slug = (await workspace(tx, tx.workspace_id))["slug"]
                policy = run["policy_id"], run["policy_name"]
                file_key = key_at_destination(slug, *policy, run["id"], written.taken_at)
            row = await tx.row(
                Sql.of(
                    "update backups"
                    " set row_count = ?, files = ?, file_size = ?, sha256 = ?, taken_at = ?, file_key = ?,"
                    " updated_at = now(), recorded_at = now()"
                    " where workspace_id = ? and id = ? returning *",
                    written.rows,
                    encode(written.files).decode(),
                    written.size,
                    written.sha256,
                    written.taken_at,
                    file_key,
                    tx.workspace_id,
                    run["id"],
                )
            )
            await job.still_ours(tx)
        if row is None:
            raise Cancelled  # the workspace was removed
        return row

    # Its way to the destination, and back to `copy`.

    async def _deliver(self, job: Job, caller: Caller, run: Row, copy: Path) -> Row:
        """The run once its file was read again from where it lies, byte by byte, into `copy`."""
        job.check_in()
        if run["destination"] is None:
            await fetch(self._files, OWN_FILES.key_of(run), copy, run)
            return run
        if run["location"] is not None:
            # An earlier attempt got as far as this.
            earlier = open_destination(run["destination"], self._surroundings.patience)
            await fetch(earlier, run["file_key"], copy, run)
            return run
        destination = await open_allowed(run["destination"], self._surroundings)
        try:
            with room_for(f"{run['destination']} has no room for the backup"):
                async with self._files.local(OWN_FILES.key_of(run)) as path:
                    await destination.put(run["file_key"], path, SERVED_AS)
            await fetch(destination, run["file_key"], copy, run)
        except (StorageUnavailable, StorageFull, Damaged, NotFound, OSError) as error:
            await self._try_later(job, caller, run, _reason(error))
        return await self._note_delivered(job, caller, run)

    async def _try_later(self, job: Job, caller: Caller, run: Row, reason: str) -> None:
        attempts, pace = run["upload_attempts"] + 1, self._surroundings.pace
        last = attempts >= pace.attempts
        async with self._database.transaction(caller) as tx:
            await tx.run(
                Sql.of(
                    "update backups set upload_attempts = ?, error = ?, updated_at = now(), recorded_at = now()"
                    " where workspace_id = ? and id = ?",
                    attempts,
                    reason,
                    tx.workspace_id,
                    run["id"],
                )
            )
            await (job.still_ours(tx) if last else job.postpone(tx, pace.wait_seconds(attempts)))
        if last:
            raise StorageUnavailable("destination_unavailable", f"{reason} ({attempts} attempts)")
        raise Postponed

    async def _note_delivered(self, job: Job, caller: Caller, run: Row) -> Row:
        async with self._database.transaction(caller) as tx:
            row = await tx.row(
                Sql.of(
                    "update backups"
                    " set location = ?, upload_attempts = ?, error = null, updated_at = now(), recorded_at = now()"
                    " where workspace_id = ? and id = ? returning *",
                    f"{run['destination']}/{run['file_key']}",
                    run["upload_attempts"] + 1,
                    tx.workspace_id,
                    run["id"],
                )
            )
            await job.still_ours(tx)
        if row is None:
            raise Cancelled
        return row

    # Its end.

    async def _end(self, job: Job, caller: Caller, run: Row, verdict: Verdict | None) -> None:
        async with self._database.transaction(caller) as tx:
            error = await note_verdict(tx, run, verdict) if verdict else None
            await self._close(tx, job, "failed" if error else "completed", error)
            await job.finish(tx)

    async def _give_up(self, job: Job, caller: Caller, status: str, error: str | None = None) -> None:
        async with self._database.transaction(caller) as tx:
            await self._close(tx, job, status, error)
            await job.finish(tx)

    async def _close(self, tx: Transaction, job: Job, status: str, error: str | None) -> None:
        """Marks the end, with its event. The server's own copy stays where it is the only good one."""
        run = await tx.row(
            Sql.of(
                "select * from backups where workspace_id = ? and id = ? and status in ('queued', 'processing')"
                " for update",
                tx.workspace_id,
                job.id,
            )
        )
        if run is None:
            return
        kept = run["sha256"] is not None and status != "cancelled" and run["location"] is None
        until = self._surroundings.now() + KEPT if kept else None
        if until and error:
            error = f"{error}; the server keeps the file itself until {write_timestamp(until)}, at `download_url`"
        await records.end(tx, "backups", job.id, status, Sql.of("error = ?, file_expires_at = ?", error, until))
        changes: dict[str, tuple[Any, Any]] = {"status": ("processing", status)}
        if run["location"]:
            changes["location"] = None, run["location"]
        if error:
            changes["error"] = None, error
        await log.record(tx, [told(run, status, **changes)])

    async def _tidy(self, caller: Caller, run: Row) -> None:
        """What is left to do once the end is told; nothing of it can undo the end."""
        async with self._database.transaction(caller) as tx:
            ended = await tx.row(
                Sql.of("select * from backups where workspace_id = ? and id = ?", tx.workspace_id, run["id"])
            )
        if ended is None or ended["sha256"] is None:
            return
        if ended["file_expires_at"] is None:
            await discard(self._files, OWN_FILES.key_of(ended))
        if ended["status"] == "completed" and ended["policy_id"] is not None:
            await prune(self._database, caller, ended["policy_id"], self._surroundings)


def _read_again(path: Path, rows: int) -> Written:
    """What the file on disk says of itself: what can't be read again is no backup."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    with open_archive(path) as archive:
        manifest = archive.manifest
    files = [{"file": file.name, "rows": file.rows} for file in manifest.files]
    return Written(rows, files, size, digest, parse_timestamp(manifest.created_at))


def _reason(error: Exception) -> str:
    """What went wrong with the destination, and what it said itself, where it said something."""
    said = error.detail if isinstance(error, Problem) else str(error)
    of_system = error.__cause__ if isinstance(error, StorageUnavailable) else error
    if isinstance(of_system, OSError) and of_system.filename:
        # Of a directory of the operator: which one it is.
        return f"the destination takes no backup: {of_system.strerror}: {of_system.filename}"
    cause = cause_of(error)
    return f"the destination takes no backup: {said}" + (f" ({cause})" if cause and cause not in said else "")
