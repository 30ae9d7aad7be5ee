"""The server's own copies of backups, which go after some days; the runs themselves stay."""

from __future__ import annotations

from collections.abc import Collection

from ptolemy.backups.runs import folder, own_key
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.files.store import FileStore
from ptolemy.kernel.identifiers import as_uuid

__all__ = ["folder", "remove_expired_files", "wanted"]

_AT_ONCE = 1000


async def remove_expired_files(tx: Transaction, files: FileStore) -> None:
    """Removes the copies of this workspace whose time is over."""
    expired = await tx.rows(
        Sql.of(
            f"select id, sha256 from backups where workspace_id = ? and file_expires_at < now() limit {_AT_ONCE}",
            tx.workspace_id,
        )
    )
    for row in expired:
        await files.delete(own_key(tx.workspace_id, row["id"], row["sha256"]))
    await tx.run(
        Sql.of(
            "update backups"
            " set file_expires_at = null, removed_at = now(), removed_reason = 'its time was over', recorded_at = now()"
            " where workspace_id = ? and id = any(?)",
            tx.workspace_id,
            [row["id"] for row in expired],
        )
    )


async def wanted(tx: Transaction, keys: Collection[str]) -> set[str]:
    """Those of the keys under which the copy of a run lies that needs it still."""
    ids = {run_id for key in keys if (run_id := as_uuid(key.rpartition("/")[2][:36]))}
    rows = await tx.rows(
        Sql.of(
            "select id, sha256 from backups"
            " where workspace_id = ? and id = any(?) and sha256 is not null"
            " and (file_expires_at is not null or status in ('queued', 'processing'))",
            tx.workspace_id,
            list(ids),
        )
    )
    return {own_key(tx.workspace_id, row["id"], row["sha256"]) for row in rows}
