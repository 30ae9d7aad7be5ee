"""Who belongs to a workspace, and in which role."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import asyncpg

from ptolemy.accounts.departures import end_what_is_beyond
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events.log import Entry, record
from ptolemy.kernel.actors import ROLES, Role
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, NotFound
from ptolemy.plans import seats

ROBOT_ROLES: tuple[Role, ...] = ("viewer", "member")

_MEMBERS = "select m.* from members m where m.workspace_id = ?"

Check = Callable[[Row], None]


def anything(member: Row) -> None:
    """Whatever a membership is, it may be changed."""


async def add_member(tx: Transaction, user_id: UUID, role: str) -> Row:
    """Gives a person or a robot a role in the transaction's workspace: the only way in. A person takes a seat."""
    checked = checked_role(role, ROLES)
    await seats.take(tx, user_id)
    statement = Sql.of(
        "insert into memberships (workspace_id, id, user_id, role) values (?, ?, ?, ?) returning id",
        tx.workspace_id,
        uuid7(),
        user_id,
        checked,
    )
    try:
        membership_id = await tx.value(statement)
    except asyncpg.UniqueViolationError:
        raise Conflict("duplicate", "they belong to this workspace already") from None
    row = await membership(tx, membership_id)
    changes = {"role": {"from": None, "to": row["role"]}}
    await record(tx, [Entry("membership.created", "membership", row["id"], _called(row), changes)])
    return row


async def membership(tx: Transaction, membership_id: UUID | None) -> Row:
    row = await tx.row(Sql.of(f"{_MEMBERS} and m.id = ?", tx.workspace_id, membership_id))
    if row is None:
        raise NotFound("not_found", "there is no such membership in this workspace")
    return row


async def membership_of(tx: Transaction, user_id: UUID) -> Row:
    row = await tx.row(Sql.of(f"{_MEMBERS} and m.user_id = ?", tx.workspace_id, user_id))
    if row is None:
        raise NotFound("not_found", "you don't belong to this workspace any more")
    return row


async def change_role(tx: Transaction, membership_id: UUID | None, role: str, *, expected: Check = anything) -> Row:
    """Another role for a member; the last admin keeps theirs, and robots are viewers or members.

    Jobs that they asked for, and may not any more, end; so do an admin's open invitations.

    `expected` looks at the membership as it is, and refuses what must not be changed.
    """
    await tx.lock("memberships")
    old = await membership(tx, membership_id)
    expected(old)
    checked = checked_role(role, ROBOT_ROLES if old["type"] == "robot" else ROLES)
    if old["role"] == checked:
        return old
    await _keep_an_admin(tx, old)
    await tx.run(
        Sql.of(
            "update memberships set role = ?, updated_at = now() where workspace_id = ? and id = ?",
            checked,
            tx.workspace_id,
            old["id"],
        )
    )
    await end_what_is_beyond(tx, old["user_id"], checked)
    changes = {"role": {"from": old["role"], "to": checked}}
    await record(tx, [Entry("membership.updated", "membership", old["id"], _called(old), changes)])
    return await membership(tx, membership_id)


async def remove_member(tx: Transaction, membership_id: UUID | None, *, expected: Check = anything) -> None:
    """Takes a member out of the workspace: their tokens, if a robot, their jobs and open invitations end with it."""
    await tx.lock("memberships")
    old = await membership(tx, membership_id)
    expected(old)
    await _keep_an_admin(tx, old)
    revoked = await tx.rows(
        Sql.of(
            "update tokens set revoked_at = now()"
            " where workspace_id = ? and user_id = ? and revoked_at is null returning id, token_suffix",
            tx.workspace_id,
            old["user_id"],
        )
    )
    await tx.run(Sql.of("delete from memberships where workspace_id = ? and id = ?", tx.workspace_id, old["id"]))
    await end_what_is_beyond(tx, old["user_id"], None)
    changes = {"role": {"from": old["role"], "to": None}}
    await record(
        tx,
        [
            *(Entry("token.deleted", "token", token["id"], token["token_suffix"]) for token in revoked),
            Entry("membership.deleted", "membership", old["id"], _called(old), changes),
        ],
    )


def checked_role(role: str, allowed: Sequence[Role]) -> Role:
    for known in allowed:
        if role == known:
            return known
    raise Invalid(FieldError("role", "invalid_role", f"must be one of {', '.join(allowed)}, got {role!r}"))


async def _keep_an_admin(tx: Transaction, leaving: Row) -> None:
    if leaving["role"] != "admin":
        return
    others = Sql.of(
        "select exists (select from memberships where workspace_id = ? and role = 'admin' and id <> ?)",
        tx.workspace_id,
        leaving["id"],
    )
    if not await tx.value(others):
        raise Conflict("last_admin", "the workspace's only admin must stay one: make somebody else admin first")


def _called(member: Row) -> str:
    return str(member["email"] or member["name"])
