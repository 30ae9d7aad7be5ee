"""The secrets of endpoints: sealed, two for a day after a rotation, never told again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.kernel.sealing import Sealer
from ptolemy.webhooks.signatures import new_secret

BOTH_FOR = timedelta(hours=24)


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
    secret, until = new_secret(), datetime.now(UTC) + BOTH_FOR
    statement = Sql.of(
        "update webhook_secrets"
        " set sealed_before = sealed, before_until = ?, sealed = ?, recorded_at = now()"
        " where workspace_id = ? and webhook_id = ?",
        until,
        sealer.seal(secret.encode(), bound_to=webhook_id.bytes),
        tx.workspace_id,
        webhook_id,
    )
    await tx.run(statement)
    return secret, until


def opened(sealer: Sealer, row: Row, now: datetime) -> Sequence[str]:
    """The secrets that sign at `now`, the newest first; none where the server's key is another than it was."""
    sealed = [row["sealed"]]
    if row["before_until"] is not None and now < row["before_until"]:
        sealed.append(row["sealed_before"])
    found = [sealer.open(each, bound_to=row["webhook_id"].bytes) for each in sealed]
    return [each.decode() for each in found if each is not None]
