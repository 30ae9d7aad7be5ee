"""Robots' tokens: shown once, stored as a hash, revoked but never forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ptolemy.accounts.credentials import digest, new_secret, suffix
from ptolemy.accounts.names import checked_name
from ptolemy.accounts.robots import robot
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events.log import Entry, record
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, NotFound
from ptolemy.kernel.timestamps import write_timestamp

_SHOWN = (
    "id, user_id, token_suffix, name, expires_at, replaced_at, revoked_at, last_used_at, created_at,"
    " case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired'"
    " else 'active' end as state"
)


async def issue_token(
    tx: Transaction, robot_id: UUID | None, *, name: str | None = None, expires_at: datetime | None = None
) -> tuple[str, Row]:
    """A new token of a robot: the secret, which can't be read again, and what is kept of it."""
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise Invalid(FieldError("expires_at", "in_the_past", "must be in the future"))
    owner = await robot(tx, robot_id)
    secret = new_secret("robot")
    row = await tx.row(
        Sql.of(
            "insert into tokens (workspace_id, id, user_id, hash, token_suffix, name, expires_at)"
            f" values (?, ?, ?, ?, ?, ?, ?) returning {_SHOWN}",
            tx.workspace_id,
            uuid7(),
            owner["user_id"],
            digest(secret),
            suffix(secret),
            checked_name(name) if name is not None else None,
            expires_at,
        )
    )
    assert row is not None  # noqa: S101 - an insert that returns
    changes = {
        "robot": {"from": None, "to": owner["name"]},
        "expires_at": {"from": None, "to": write_timestamp(expires_at) if expires_at else None},
    }
    await record(tx, [Entry("token.created", "token", row["id"], row["token_suffix"], changes)])
    return secret, row


async def tokens(tx: Transaction, robot_id: UUID | None, *, after: UUID | None, limit: int) -> Sequence[Row]:
    """A robot's tokens, revoked and expired ones too, each with its `state`, in order of id behind `after`."""
    owner = await robot(tx, robot_id)
    statement = Sql.of(
        f"select {_SHOWN} from tokens where workspace_id = ? and user_id = ? and (?::uuid is null or id > ?)"
        " order by id limit ?",
        tx.workspace_id,
        owner["user_id"],
        after,
        after,
        limit,
    )
    return await tx.rows(statement)


async def token(tx: Transaction, robot_id: UUID | None, token_id: UUID | None, *, lock: str = "") -> Row:
    owner = await robot(tx, robot_id)
    row = await tx.row(
        Sql.of(
            f"select {_SHOWN} from tokens where workspace_id = ? and user_id = ? and id = ? {lock}",
            tx.workspace_id,
            owner["user_id"],
            token_id,
        )
    )
    if row is None:
        raise NotFound("not_found", "this robot has no such token")
    return row


async def rotate_token(
    tx: Transaction, robot_id: UUID | None, token_id: UUID | None, *, overlap: timedelta, expires_at: datetime | None
) -> tuple[str, Row]:
    """A new token in place of an old one, which ends after `overlap`, or at once where that is nothing.

    Once only: one that was replaced already is a 409. Without `expires_at` the new one lives as long as the old one
    was to live, counted from now.
    """
    old = await token(tx, robot_id, token_id, lock="for update")
    if old["state"] != "active":
        raise Conflict("token_not_active", f"the token is {old['state']}: create a new one instead")
    if old["replaced_at"] is not None:
        detail = "the token was replaced already: if the new one got lost, revoke that and create another"
        raise Conflict("token_replaced", detail)
    now = datetime.now(UTC)
    if expires_at is None and old["expires_at"] is not None:
        expires_at = now + (old["expires_at"] - old["created_at"])
    secret, row = await issue_token(tx, robot_id, name=old["name"], expires_at=expires_at)
    await tx.run(
        Sql.of("update tokens set replaced_at = ? where workspace_id = ? and id = ?", now, tx.workspace_id, old["id"])
    )
    ends = now + overlap
    if not overlap:
        await revoke_token(tx, robot_id, token_id)
    elif old["expires_at"] is None or ends < old["expires_at"]:
        await _end_at(tx, old, ends)
    return secret, row


async def _end_at(tx: Transaction, old: Row, ends: datetime) -> None:
    await tx.run(
        Sql.of("update tokens set expires_at = ? where workspace_id = ? and id = ?", ends, tx.workspace_id, old["id"])
    )
    before = write_timestamp(old["expires_at"]) if old["expires_at"] else None
    changes = {"expires_at": {"from": before, "to": write_timestamp(ends)}}
    await record(tx, [Entry("token.updated", "token", old["id"], old["token_suffix"], changes)])


async def revoke_token(tx: Transaction, robot_id: UUID | None, token_id: UUID | None) -> None:
    """From the next request on the token is refused; revoking it again changes nothing."""
    row = await token(tx, robot_id, token_id, lock="for update")
    if row["revoked_at"] is not None:
        return
    await tx.run(
        Sql.of("update tokens set revoked_at = now() where workspace_id = ? and id = ?", tx.workspace_id, row["id"])
    )
    await record(tx, [Entry("token.deleted", "token", row["id"], row["token_suffix"])])
