"""The file of an import: sent with the request, or before it in parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.files import uploads
from ptolemy.files.scratch import scratch_folder
from ptolemy.files.store import FileStore, discard, room_for
from ptolemy.formats.unfolding import HONEST_RATIO
from ptolemy.imports.requests import file_key
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.identifiers import as_uuid


def folder(workspace_id: UUID) -> str:
    return f"{workspace_id}/imports"


@asynccontextmanager
async def opened_source(database: Database, files: FileStore, caller: Caller, import_id: UUID) -> AsyncIterator[Path]:
    """The whole file at a path, for as long as the block lasts; parts are put together beside it."""
    async with database.transaction(caller) as tx:
        upload_id = await uploads.used_by(tx, import_id)
        parts = await uploads.parts(tx, upload_id) if upload_id else []
    keys = [part.key for part in parts] or [file_key(caller.workspace_id, import_id)]
    if len(keys) == 1:
        async with files.local(keys[0]) as path:
            yield path
        return
    with scratch_folder("import") as place:
        path = place / "file"
        await _put_together(files, keys, path)
        yield path


async def _put_together(files: FileStore, keys: Sequence[str], path: Path) -> None:
    with room_for("the server's temporary directory has no room for the upload"), path.open("wb") as file:
        for key in keys:
            async for block in files.read(key):
                await asyncio.to_thread(file.write, block)


async def unfolding_limit(path: Path, limit_bytes: int) -> int:
    """What the file may unfold to."""
    return max(limit_bytes, HONEST_RATIO * (await asyncio.to_thread(path.stat)).st_size)


async def let_go(database: Database, files: FileStore, caller: Caller, import_id: UUID) -> None:
    """Removes the file of an import that has ended; an upload that could be used again is kept for that."""
    async with database.transaction(caller) as tx:
        keys = await freed(tx, import_id)
    for key in keys:
        await discard(files, key)


async def freed(tx: Transaction, import_id: UUID) -> list[str]:
    """The keys of the files that nobody needs any more, to be discarded once this has committed."""
    row = await tx.row(
        Sql.of("select status, dry_run from imports where workspace_id = ? and id = ?", tx.workspace_id, import_id)
    )
    if row and row["status"] in ("queued", "processing"):
        return []
    upload_id = await uploads.used_by(tx, import_id)
    if upload_id is None:
        return [file_key(tx.workspace_id, import_id)]
    if row and row["status"] == "completed" and not row["dry_run"]:
        return await uploads.remove(tx, [upload_id])
    # What has failed for a type that is missing needn't be sent again.
    await uploads.give_back(tx, upload_id)
    return []


async def wanted(tx: Transaction, keys: Collection[str]) -> set[str]:
    """Those of the keys whose imports haven't ended."""
    ids = {import_id for key in keys if (import_id := as_uuid(key.rpartition("/")[2]))}
    rows = await tx.rows(
        Sql.of(
            "select id from imports where workspace_id = ? and id = any(?) and status in ('queued', 'processing')",
            tx.workspace_id,
            list(ids),
        )
    )
    return {file_key(tx.workspace_id, row["id"]) for row in rows}
