"""What a workspace has used beyond its plan, by month (UTC), where the plan lets it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Literal

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction

Kind = Literal["items", "calls"]


async def note(tx: Transaction, kind: Kind, amount: int, month: date | None = None) -> None:
    """Keeps the most of the month; this one unless told."""
    await tx.run(
        Sql.of(
            "insert into plan_overage as o (workspace_id, month, kind, amount) values (?, ?, ?, ?)"
            " on conflict (workspace_id, month, kind) do update"
            " set amount = excluded.amount, recorded_at = excluded.recorded_at where o.amount < excluded.amount",
            tx.workspace_id,
            month or datetime.now(UTC).date().replace(day=1),
            kind,
            amount,
        )
    )


async def of(tx: Transaction, first: date, last: date) -> Sequence[Row]:
    """`month`, `kind` and `amount` of the months from `first`'s to `last`'s, oldest first."""
    statement = Sql.of(
        "select month, kind, amount from plan_overage where workspace_id = ? and month between ? and ?"
        " order by month, kind",
        tx.workspace_id,
        first.replace(day=1),
        last,
    )
    return await tx.rows(statement)


async def untold(tx: Transaction) -> Sequence[Row]:
    """Months in which overage has begun since this was last asked."""
    statement = Sql.of(
        "update plan_overage set told = true where workspace_id = ? and not told returning month, kind, amount",
        tx.workspace_id,
    )
    return await tx.rows(statement)
