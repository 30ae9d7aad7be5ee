"""Asking for a backup, by hand or because a policy's turn has come, and asking for its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg

from ptolemy.accounts.asking import ask_for
from ptolemy.backups.policies import BackupPolicies
from ptolemy.backups.resource import Backups
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.events import log
from ptolemy.files.made_files import MadeFiles
from ptolemy.jobs import records
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Conflict

KIND = "backup"


OWN_FILES = MadeFiles(
    "backups",
    expired="file_expires_at < now()",
    removed="file_expires_at = null, removed_at = now(), removed_reason = 'its time was over'",
    needed="file_expires_at is not null or status in ('queued', 'processing')",
)
"""The copies in the server's own store."""


async def request_backup(tx: Transaction, policy_key: str | None, verify: str | None) -> Row:
    """The queued run: to the policy's destination, or else into the server's own store."""
    policy = None
    if policy_key is not None:
        policy = await lookup.one(tx, BackupPolicies, policy_key, lock="for no key update")
    try:
        return await queue_run(tx, policy, verify=verify)
    except asyncpg.UniqueViolationError:
        raise Conflict("backup_running", "a backup of this policy is running already: wait for its end") from None


async def queue_run(
    tx: Transaction, policy: Row | None, *, verify: str | None = None, due_at: datetime | None = None
) -> Row:
    """A new run in the queue; what the policy says now is what it does."""
    said: Mapping[str, Any] = policy or {"id": None, "name": None, "destination": None, "verify": "hashes"}
    return await ask_for(
        tx,
        KIND,
        "editor",
        Sql.of(
            "insert into backups (workspace_id, id, policy_id, policy_name, status, destination, format, due_at,"
            " upload_attempts, verify, created_by)"
            " values (?, ?, ?, ?, 'queued', ?, 'zip', ?, 0, ?, ?)"
            " returning *",
            tx.workspace_id,
            uuid7(),
            said["id"],
            said["name"],
            said["destination"],
            due_at,
            verify or said["verify"],
            tx.actor.id,
        ),
    )


def told(run: Row, word: str, **changes: tuple[Any, Any]) -> log.Entry:
    """The event of something that happened to a run."""
    return log.Entry(
        f"backup.{word}",
        "backup",
        run["id"],
        run["policy_name"],
        {name: {"from": before, "to": after} for name, (before, after) in changes.items()},
    )


async def cancel_backup(tx: Transaction, key: str) -> Row:
    """Ends a run that hasn't ended; one that has stays as it is."""
    row = await lookup.one(tx, Backups, key)
    if await records.cancel(tx, "backups", row["id"]):
        await log.record(tx, [told(row, "cancelled", status=(row["status"], "cancelled"))])
    return await lookup.one(tx, Backups, key)
