"""Records of jobs, as their users see them, are kept as long as events: together they tell what happened."""

from __future__ import annotations

from datetime import datetime

from ptolemy.database.retention import AT_ONCE, Kept
from ptolemy.database.sql import Sql, name
from ptolemy.database.transaction import Transaction


def ended_jobs(table: str, *, parts: tuple[str, str] | None = None, condition: str = "true") -> Kept:
    """The ended jobs of a table; `parts` is a table of many rows a job, and its column of the job's id."""

    async def forget(tx: Transaction, before: datetime) -> int:
        over = await tx.rows(
            Sql.of(
                f"select id from {name(table)}"
                f" where workspace_id = ? and completed_at < ? and {condition} order by id limit {AT_ONCE}",
                tx.workspace_id,
                before,
            )
        )
        ids = [row["id"] for row in over]
        if parts and ids and (removed := await _remove_parts(tx, *parts, ids)):
            # The jobs themselves go when nothing hangs on them any more, so that no transaction removes millions.
            return max(removed, AT_ONCE)
        return await tx.run(
            Sql.of(f"delete from {name(table)} where workspace_id = ? and id = any(?)", tx.workspace_id, ids)
        )

    return Kept(table, forget)


async def _remove_parts(tx: Transaction, table: str, column: str, ids: list[object]) -> int:
    rows = await tx.rows(
        Sql.of(
            f"select id from {name(table)} where workspace_id = ? and {name(column)} = any(?) limit {AT_ONCE}",
            tx.workspace_id,
            ids,
        )
    )
    return await tx.run(
        Sql.of(
            f"delete from {name(table)} where workspace_id = ? and id = any(?)",
            tx.workspace_id,
            [row["id"] for row in rows],
        )
    )
