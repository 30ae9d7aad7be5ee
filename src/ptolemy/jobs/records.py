"""Records of jobs, as their users see them: a row with the id of its job, from the request to its end and after.

They are kept as long as events: together they tell what happened.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.retention import AT_ONCE, Kept
from ptolemy.database.sql import Sql, joined, name
from ptolemy.database.transaction import Row, Transaction
from ptolemy.jobs import queue
from ptolemy.jobs.job import Job
from ptolemy.kernel.actors import Caller

STATUSES = ("queued", "processing", "completed", "failed", "cancelled")
_OPEN = "status in ('queued', 'processing')"


async def begin(database: Database, caller: Caller, job: Job, table: str, anew: str = "") -> Row | None:
    """Marks the record of a job as being worked on; None where it has ended already, and so does the job.

    `anew` takes back what an earlier attempt has told of itself.
    """
    also = f", {anew}" if anew else ""
    async with database.transaction(caller) as tx:
        row = await tx.row(
            Sql.of(
                # `least` passes over nulls; Citus refuses now() inside `coalesce` and `case` in an update.
                f"update {name(table)}"
                " set status = 'processing', started_at = least(started_at, now()), updated_at = now(),"
                f" recorded_at = now(){also}"
                f" where workspace_id = ? and id = ? and {_OPEN}"
                " returning *",
                tx.workspace_id,
                job.id,
            )
        )
        await (job.still_ours(tx) if row else job.finish(tx))
        return row


async def end(tx: Transaction, table: str, record_id: UUID, status: str, *found: Sql) -> Row | None:
    """The record as it ends, with what was `found`: assignments to its columns. None where it has ended already."""
    ended = Sql.of(
        # The statement's time: the transaction may have begun when the work did.
        "status = ?, completed_at = statement_timestamp(), updated_at = statement_timestamp(),"
        " recorded_at = statement_timestamp()",
        status,
    )
    assigned = joined(", ", [ended, *found])
    return await tx.row(
        Sql.of(
            f"update {name(table)} set {assigned.text} where workspace_id = ? and id = ? and {_OPEN} returning *",
            *assigned.args,
            tx.workspace_id,
            record_id,
        )
    )


async def cancel(tx: Transaction, table: str, record_id: UUID) -> Row | None:
    """The record as it ends where nobody works on it; None where its worker will end it, or it has ended already."""
    if await queue.cancel(tx, tx.workspace_id, record_id) != "removed":
        return None
    return await end(tx, table, record_id, "cancelled")


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
