"""Answers to requests with an `Idempotency-Key`, kept beside the changes that they tell of: a table and its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from uuid import UUID

import asyncpg
import msgspec

from ptolemy.database.retention import AT_ONCE, Kept
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import Conflict, FieldError, Problem

WAIT_SECONDS = 3
"""How long a request waits for another one with its key, which is still being worked on."""


class KeyReused(Problem):
    status, title = 422, "Invalid values"


@dataclass(frozen=True)
class KeptAnswer:
    """An answer as it first went out; `body` is None where it was not kept."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


def key_hash(user_id: UUID, key: str) -> bytes:
    """The key as it is stored: each caller has keys of their own."""
    return blake2b(user_id.bytes + key.encode(), digest_size=32).digest()


async def claim(tx: Transaction, key: bytes, request_digest: bytes) -> KeptAnswer | None:
    """What the first request with this key was answered, or None: then this is the first, and `keep` has to follow.

    The key is the transaction's until it ends: others wait for it, for a while. Rolled back, the key is free again.
    """
    if await _claimed(tx, key, request_digest):
        return None
    row = await tx.row(
        Sql.of(
            "select request_digest, status, headers, body from idempotency_keys"
            " where workspace_id = ? and key_hash = ?",
            tx.workspace_id,
            key,
        )
    )
    assert row is not None  # noqa: S101 - the claim has locked it
    if row["request_digest"] != request_digest:
        detail = "the key came with another request before: take a new key for a new request"
        error = FieldError("Idempotency-Key", "idempotency_key_reused", detail)
        raise KeyReused("idempotency_key_reused", detail, (error,))
    return KeptAnswer(row["status"], msgspec.json.decode(row["headers"]), row["body"])


async def _claimed(tx: Transaction, key: bytes, request_digest: bytes) -> bool:
    """Whether the key was new, or so old that it counts as new."""
    statement = Sql.of(
        "insert into idempotency_keys as kept (workspace_id, key_hash, request_digest)"
        " values (?, ?, ?)"
        " on conflict (workspace_id, key_hash) do update"
        " set request_digest = excluded.request_digest, created_at = excluded.created_at,"
        " recorded_at = excluded.recorded_at"
        # A difference of instants: Citus takes no function here that depends on the time zone.
        " where excluded.created_at - kept.created_at >= interval '24 hours'"
        " returning true",
        tx.workspace_id,
        key,
        request_digest,
    )
    await tx.driver.execute(f"set local lock_timeout = '{WAIT_SECONDS}s'")
    try:
        claimed = await tx.value(statement)
    except asyncpg.LockNotAvailableError:
        detail = "another request with this key is being worked on: try again in a moment"
        raise Conflict("idempotency_in_progress", detail, headers={"Retry-After": "1"}) from None
    await tx.driver.execute("set local lock_timeout to default")
    return bool(claimed)


async def keep(tx: Transaction, key: bytes, answer: KeptAnswer) -> None:
    """Keeps the answer to the request that has claimed the key in this transaction."""
    await tx.run(
        Sql.of(
            "update idempotency_keys set status = ?, headers = ?, body = ?, recorded_at = now()"
            " where workspace_id = ? and key_hash = ?",
            answer.status,
            encode(dict(answer.headers)).decode(),
            answer.body,
            tx.workspace_id,
            key,
        )
    )


async def _forget(tx: Transaction, before: datetime) -> int:
    old = await tx.rows(
        Sql.of(
            "select key_hash, created_at from idempotency_keys"
            f" where workspace_id = ? and created_at < ? order by created_at limit {AT_ONCE}",
            tx.workspace_id,
            before,
        )
    )
    if old:
        await tx.run(
            Sql.of(
                # The instant again: a key may have been claimed anew meanwhile.
                "delete from idempotency_keys where workspace_id = ? and key_hash = any(?) and created_at <= ?",
                tx.workspace_id,
                [row["key_hash"] for row in old],
                old[-1]["created_at"],
            )
        )
    return len(old)


KEPT = Kept("idempotency_keys", _forget)
