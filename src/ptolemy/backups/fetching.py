"""The file of a backup, brought here from where it lies and held against what was written."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from ptolemy.backups.destinations import open_destination
from ptolemy.backups.resource import Backups
from ptolemy.backups.runs import OWN_FILES, told
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.events import log
from ptolemy.files.scratch import scratch_folder
from ptolemy.files.store import FileStore, room_for
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import Conflict, NotFound, Problem
from ptolemy.kernel.timestamps import write_timestamp


class Damaged(Problem):
    """The file isn't what was written, or is nowhere to be found."""

    status: ClassVar[int] = 409
    title: ClassVar[str] = "Conflict"


@asynccontextmanager
async def opened_backup(database: Database, files: FileStore, caller: Caller, backup_id: str) -> AsyncIterator[Path]:
    """A local copy of a backup's file for as long as the block lasts, the same byte for byte as when it was written.

    Raises `NotFound` where there is no such backup or its file was removed, `Conflict` where it has none yet,
    `StorageUnavailable`, and `Damaged` where the file is another one by now or lost: such a backup is no good one
    from then on.
    """
    async with database.transaction(caller) as tx:
        run = await lookup.one(tx, Backups, backup_id)
    check_has_file(run)
    with scratch_folder("backup") as folder:
        path = folder / "file"
        try:
            if run["location"] is None:
                await fetch(files, OWN_FILES.key_of(run), path, run)
            else:
                await fetch(open_destination(run["destination"]), run["file_key"], path, run)
        except Damaged as problem:
            async with database.transaction(caller) as tx:
                await _note_bad(tx, run, problem)
            raise
        yield path


def check_has_file(run: Row) -> None:
    """Raises where a backup has no file: it has none yet, or it was removed."""
    if run["removed_at"] is not None or (run["status"] == "cancelled"):
        raise NotFound("file_gone", "the file of the backup is kept no longer")
    if run["location"] is None and run["file_expires_at"] is None:
        detail = f"the backup has no file: it is {run['status']}"
        raise Conflict("backup_without_file", detail)


async def fetch(store: FileStore, key: str, copy: Path, run: Row) -> None:
    """Reads a run's file into `copy`; raises `Damaged` where it is lost, or its size or hash isn't that of the run."""
    size, digest = 0, hashlib.sha256()
    # Who reads this need not know where backups lie: admins see `location` beside.
    where = "the file at the backup's destination" if run["location"] else "the server's own copy of the backup"
    with room_for("the server's temporary directory has no room for the backup"), copy.open("wb") as file:
        try:
            async for block in store.read(key):
                size += len(block)
                await asyncio.to_thread(digest.update, block)
                await asyncio.to_thread(file.write, block)
        except NotFound:
            raise Damaged("backup_lost", f"{where} is lost: there is no such file any more") from None
    if size != run["file_size"]:
        raise Damaged("backup_damaged", f"{where} has {size} bytes, and {run['file_size']} were written")
    if digest.hexdigest() != run["sha256"]:
        raise Damaged("backup_damaged", f"{where} has another SHA-256 than what was written: it is damaged")


async def _note_bad(tx: Transaction, run: Row, problem: Damaged) -> None:
    """It counts no longer as verified, and the event says so, once however often somebody finds it out."""
    result = "lost" if problem.code == "backup_lost" else "damaged"
    verification = {"method": "hashes", "result": result, "findings": [problem.detail]}
    noted = await tx.run(
        Sql.of(
            "update backups set verified_at = null, verification = ?, updated_at = now(), recorded_at = now()"
            " where workspace_id = ? and id = ? and verification ->> 'result' is distinct from ?",
            encode(verification).decode(),
            tx.workspace_id,
            run["id"],
            result,
        )
    )
    if noted:
        before = run["verified_at"] and write_timestamp(run["verified_at"])
        found = {"verified_at": (before, None), "method": (None, "hashes"), "findings": (None, [problem.detail])}
        await log.record(tx, [told(run, "verification_failed", **found)])
