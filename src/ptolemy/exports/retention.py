"""Files of exports are kept for some days; the export itself stays."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.exports.requests import file_key
from ptolemy.files.store import FileStore
from ptolemy.kernel.identifiers import as_uuid

_AT_ONCE = 1000


def folder(workspace_id: UUID) -> str:
    return f"{workspace_id}/exports"


async def remove_expired_files(tx: Transaction, files: FileStore) -> None:
    """Removes the files of this workspace whose time is over."""
    expired = await tx.rows(
        Sql.of(
            "select id, sha256 from exports"
            f" where workspace_id = ? and file_expires_at < now() and file_removed_at is null limit {_AT_ONCE}",
            tx.workspace_id,
        )
    )
    for row in expired:
        await files.delete(file_key(tx.workspace_id, row["id"], row["sha256"]))
    await tx.run(
        Sql.of(
            "update exports set file_removed_at = now(), recorded_at = now() where workspace_id = ? and id = any(?)",
            tx.workspace_id,
            [row["id"] for row in expired],
        )
    )


async def wanted(tx: Transaction, keys: Collection[str]) -> set[str]:
    """Those of the keys under which the file of an export lies that can still be downloaded."""
    ids = {export_id for key in keys if (export_id := as_uuid(key.rpartition("/")[2][:36]))}
    rows = await tx.rows(
        Sql.of(
            "select id, sha256 from exports"
            " where workspace_id = ? and id = any(?) and sha256 is not null and file_removed_at is null",
            tx.workspace_id,
            list(ids),
        )
    )
    return {file_key(tx.workspace_id, row["id"], row["sha256"]) for row in rows}
