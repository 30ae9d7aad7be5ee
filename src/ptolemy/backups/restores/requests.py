"""Asking for a backup to be restored into a new workspace, and asking for that to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ptolemy.accounts.asking import ask_for
from ptolemy.accounts.workspaces import give_up_reserved, reserve_workspace
from ptolemy.backups.fetching import check_has_file
from ptolemy.backups.resource import Backups
from ptolemy.backups.restores.resource import BackupRestores
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.events import log
from ptolemy.jobs import records
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.identifiers import uuid7

KIND = "backup_restore"


async def request_restore(database: Database, tx: Transaction, backup_key: str, slug: str, name: str | None) -> Row:
    """The queued restore; a 409 where the slug is taken, which from now on it is."""
    backup = await lookup.one(tx, Backups, backup_key)
    check_has_file(backup)
    restore_id = uuid7()
    async with database.within(tx, Caller(uuid7(), tx.actor, tx.caller.request_id)) as new:
        workspace = await reserve_workspace(new, slug, name, restore_id)
    return await ask_for(
        tx,
        KIND,
        "admin",
        Sql.of(
            "insert into backup_restores (workspace_id, id, status, backup_id, slug, name, new_workspace_id,"
            " rows_restored, rows_failed, files, created_by)"
            " values (?, ?, 'queued', ?, ?, ?, ?, 0, 0, '[]', ?)"
            " returning *",
            tx.workspace_id,
            restore_id,
            backup["id"],
            workspace["slug"],
            workspace["name"],
            workspace["id"],
            tx.actor.id,
        ),
    )


async def cancel_restore(tx: Transaction, key: str) -> Row:
    """Ends a restore that hasn't ended; nothing of the new workspace stays. One that has ended stays as it is."""
    row = await lookup.one(tx, BackupRestores, key)
    if await records.cancel(tx, "backup_restores", row["id"]):
        await give_up_reserved(tx, row["id"])
        await log.record(tx, [ended(row, "cancelled", {})])
    return await lookup.one(tx, BackupRestores, key)


def ended(row: Row, status: str, found: Mapping[str, Any]) -> log.Entry:
    """The event of a restore's end, with what it came to."""
    return log.Entry(f"restore.{status}", "restore", row["id"], row["slug"], log.appeared(found))
