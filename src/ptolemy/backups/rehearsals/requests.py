"""Asking for a rehearsal, and asking for its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ptolemy.accounts.asking import ask_for
from ptolemy.backups.fetching import check_has_file
from ptolemy.backups.rehearsals.resource import Rehearsals
from ptolemy.backups.resource import Backups
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.events import log
from ptolemy.files import uploads
from ptolemy.files.uploads import Part
from ptolemy.jobs import records
from ptolemy.kernel.identifiers import uuid7

KIND = "rehearsal"


async def request_for_upload(tx: Transaction, upload: Row, parts: Sequence[Part], sha256: str) -> Row:
    """A rehearsal of what has arrived in parts; the upload can be used again when it is over."""
    rehearsal_id = uuid7()
    await uploads.use(tx, str(upload["id"]), parts, rehearsal_id)
    size = sum(part.size for part in parts)
    return await _request(tx, rehearsal_id, size, sha256, upload_id=upload["id"], file_name=upload["file_name"])


async def request_for_backup(tx: Transaction, key: str) -> Row:
    """A rehearsal of a backup of this workspace, wherever its file lies."""
    backup = await lookup.one(tx, Backups, key)
    check_has_file(backup)
    return await _request(tx, uuid7(), backup["file_size"], backup["sha256"], backup_id=backup["id"])


async def _request(
    tx: Transaction,
    rehearsal_id: UUID,
    size: int,
    sha256: str,
    *,
    upload_id: UUID | None = None,
    backup_id: UUID | None = None,
    file_name: str | None = None,
) -> Row:
    return await ask_for(
        tx,
        KIND,
        "member",
        Sql.of(
            "insert into rehearsals (workspace_id, id, status, upload_id, backup_id, file_name, file_size, sha256,"
            " rows_restored, findings, files, seconds, created_by)"
            " values (?, ?, 'queued', ?, ?, ?, ?, ?, 0, '[]', '[]', '{}', ?)"
            " returning *",
            tx.workspace_id,
            rehearsal_id,
            upload_id,
            backup_id,
            file_name,
            size,
            sha256,
            tx.actor.id,
        ),
    )


async def cancel_rehearsal(tx: Transaction, key: str) -> Row:
    """Ends a rehearsal that hasn't ended; one that has stays as it is."""
    row = await lookup.one(tx, Rehearsals, key)
    if await records.cancel(tx, "rehearsals", row["id"]):
        await let_go(tx, row["id"])
        await log.record(tx, [ended(row["id"], "cancelled", {})])
    return await lookup.one(tx, Rehearsals, key)


async def let_go(tx: Transaction, rehearsal_id: UUID) -> None:
    """The upload can be used again: to restore what has been rehearsed, above all."""
    if upload_id := await uploads.used_by(tx, rehearsal_id):
        await uploads.give_back(tx, upload_id)


async def under_way(tx: Transaction) -> set[UUID]:
    """The rehearsals of this workspace that haven't ended."""
    rows = await tx.rows(
        Sql.of(
            "select id from rehearsals where workspace_id = ? and status in ('queued', 'processing')", tx.workspace_id
        )
    )
    return {row["id"] for row in rows}


def ended(rehearsal_id: UUID, status: str, found: Mapping[str, Any]) -> log.Entry:
    """The event of a rehearsal's end, with what it has found."""
    return log.Entry(f"rehearsal.{status}", "rehearsal", rehearsal_id, changes=log.appeared(found))
