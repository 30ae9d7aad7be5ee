"""How many people a workspace may have. Robots need no seat, nor does an invitation that isn't accepted yet."""

from __future__ import annotations

from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.problems import Forbidden


async def take(tx: Transaction, user_id: UUID) -> None:
    """A seat for one more member, before their membership is written; a 403 where none is free.

    Until the transaction ends, whoever else wants one waits: exactly as many get one as there are.
    """
    limit = await tx.value(
        Sql.of(
            "select p.seats from workspaces w"
            " join plans p on p.name = w.plan"
            " join users u on u.id = ?"
            " where w.id = ? and u.kind = 'human'",
            user_id,
            tx.workspace_id,
        )
    )
    if limit is None:
        return
    await tx.lock("memberships")
    if await taken(tx) >= limit:
        detail = (
            f"the plan has {limit} seats, and all are taken: remove a member, or ask the operator for a larger plan"
        )
        raise Forbidden("seat_limit_reached", detail)


async def taken(tx: Transaction) -> int:
    """How many people are members."""
    number: int = await tx.value(
        Sql.of(
            "select count(*) from memberships m join users u on u.id = m.user_id"
            " where m.workspace_id = ? and u.kind = 'human'",
            tx.workspace_id,
        )
    )
    return number
