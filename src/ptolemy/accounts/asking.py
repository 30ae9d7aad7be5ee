"""Jobs that people and robots ask for: they end when who asked may not ask for them any more."""

from __future__ import annotations

from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.jobs import queue
from ptolemy.jobs.queue import Asked
from ptolemy.kernel.actors import ROLES, Role, allows
from ptolemy.kernel.problems import Forbidden, NotFound


async def ask_for(tx: Transaction, kind: str, needs: Role, insert: Sql) -> Row:
    """The record that `insert` returns, and a job of its id in the queue.

    The job is in the name of the transaction's actor, for as long as they hold the role `needs`; what the server does
    by itself needs nobody's role.
    """
    row = await tx.row(insert)
    assert row is not None  # noqa: S101 - an insert that returns
    asked = None
    if tx.actor.type != "system" and tx.actor.id is not None:
        await hold_role(tx, tx.actor.id, needs)
        asked = Asked(tx.actor.id, needs)
    await queue.enqueue(tx, kind, row["id"], tx.workspace_id, tx.caller.packed(), asked=asked)
    return row


async def hold_role(tx: Transaction, user_id: UUID, needs: Role) -> None:
    """Nobody takes the role away until the commit: else they would find nothing yet to end, and it would go on."""
    statement = "select role from memberships where workspace_id = ? and user_id = ? for share"
    role = await tx.value(Sql.of(statement, tx.workspace_id, user_id))
    if role is None:
        raise NotFound("workspace_not_found", "you don't belong to this workspace any more")
    if not allows(role, needs):
        raise Forbidden("forbidden", f"this needs the role {needs}, which you don't have any more")


async def end_jobs_beyond(tx: Transaction, user_id: UUID, role: Role | None) -> None:
    """Ends the jobs of a member that need more than their new role; all of them where they have none any more."""
    kept = [each for each in ROLES if role is not None and allows(role, each)]
    await queue.withdraw(tx, tx.workspace_id, user_id, kept)
