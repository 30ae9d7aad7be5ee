"""Files that jobs make, exports and backups: they go after some days, and the records of the jobs stay."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.retention import AT_ONCE
from ptolemy.database.sql import Sql, name
from ptolemy.database.transaction import Row, Transaction
from ptolemy.files.store import FileStore
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.identifiers import as_uuid


@dataclass(frozen=True)
class MadeFiles:
    """The files of the jobs in one table; what is said of its columns is SQL."""

    table: str
    expired: str
    """Whose time is over, of those that are there."""
    removed: str
    """What is noted once the file is gone."""
    needed: str
    """Which of those that were ever made must still be there."""

    def folder(self, workspace_id: UUID) -> str:
        return f"{workspace_id}/{self.table}"

    def key(self, workspace_id: UUID, job_id: UUID, sha256: str) -> str:
        """Where the file lies. Its content names it: a worker that comes late, with another one, replaces nothing."""
        return f"{self.folder(workspace_id)}/{job_id}-{sha256[:16]}"

    def key_of(self, job: Row) -> str:
        return self.key(job["workspace_id"], job["id"], job["sha256"])

    async def remove_expired(
        self, database: Database, caller: Caller, files: FileStore, check_in: Callable[[], None]
    ) -> None:
        """Removes the files of the caller's workspace whose time is over; a store that is slow holds no connection.

        `check_in` is asked between the steps.
        """
        while True:
            check_in()
            async with database.transaction(caller) as tx:
                expired = await self._expired(tx)
            if not expired:
                return
            for row in expired:
                check_in()
                await files.delete(self.key_of(row))
            async with database.transaction(caller) as tx:
                await self._note_removed(tx, [row["id"] for row in expired])

    async def _expired(self, tx: Transaction) -> Sequence[Row]:
        return await tx.rows(
            Sql.of(
                f"select workspace_id, id, sha256 from {name(self.table)}"
                f" where workspace_id = ? and {self.expired} order by id limit {AT_ONCE}",
                tx.workspace_id,
            )
        )

    async def _note_removed(self, tx: Transaction, ids: Sequence[UUID]) -> None:
        await tx.run(
            Sql.of(
                f"update {name(self.table)} set {self.removed}, recorded_at = now()"
                " where workspace_id = ? and id = any(?)",
                tx.workspace_id,
                ids,
            )
        )

    async def wanted(self, tx: Transaction, keys: Collection[str]) -> set[str]:
        """Those of the keys under which a file lies that is needed."""
        ids = {job_id for key in keys if (job_id := as_uuid(key.rpartition("/")[2][:36]))}
        rows = await tx.rows(
            Sql.of(
                f"select workspace_id, id, sha256 from {name(self.table)}"
                f" where workspace_id = ? and id = any(?) and sha256 is not null and ({self.needed})",
                tx.workspace_id,
                list(ids),
            )
        )
        return {self.key_of(row) for row in rows}
