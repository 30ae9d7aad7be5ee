"""The secrets of endpoints: sealed, the old one too for a day after each rotation, never told again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.kernel.sealing import Sealer
from ptolemy.webhooks.signatures import new_secret

BOTH_FOR = timedelta(hours=24)
_MOST_EARLIER = 8
"""Beside the two newest: a delivery's headers must stay short enough for every receiver."""


async def give_secret(tx: Transaction, sealer: Sealer, webhook_id: UUID) -> str:
    """A new endpoint's secret, which can't be read again."""
    secret = new_secret()
    statement = Sql.of(
        "insert into webhook_secrets (workspace_id, webhook_id, sealed) values (?, ?, ?)",
        tx.workspace_id,
        webhook_id,
        sealer.seal(secret.encode(), bound_to=webhook_id.bytes),
    )
    await tx.run(statement)
    return secret


async def replace_secret(tx: Transaction, sealer: Sealer, webhook_id: UUID) -> tuple[str, datetime]:
    """The secret from now on, and until when the one before signs too."""
    secret, now = new_secret(), datetime.now(UTC)
    until = now + BOTH_FOR
    statement = Sql.of(
        "update webhook_secrets set"
        # Each is older than the next, so where the last has ended all have.
        f" earlier = case when before_until > ? then (sealed_before || earlier)[:{_MOST_EARLIER}] else '{{}}' end,"
        " earlier_until = case when before_until > ?"
        f"  then (before_until || earlier_until)[:{_MOST_EARLIER}] else '{{}}' end,"
        " sealed_before = sealed, before_until = ?, sealed = ?, recorded_at = now()"
        " where workspace_id = ? and webhook_id = ?",
        now,
        now,
        until,
        sealer.seal(secret.encode(), bound_to=webhook_id.bytes),
        tx.workspace_id,
        webhook_id,
    )
    await tx.run(statement)
    return secret, until


def opened(sealer: Sealer, row: Row, now: datetime) -> list[str]:
    """The secrets that sign at `now`, the newest first; none where the server's key is another than it was."""
    before = [(row["sealed_before"], row["before_until"]), *zip(row["earlier"], row["earlier_until"], strict=True)]
    sealed = [row["sealed"], *(each for each, until in before if until is not None and now < until)]
    found = [sealer.open(each, bound_to=row["webhook_id"].bytes) for each in sealed]
    return [each.decode() for each in found if each is not None]
