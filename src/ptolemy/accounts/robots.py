"""Robots: service accounts of one workspace, viewers or members, that carry tokens."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from ptolemy.accounts.memberships import ROBOT_ROLES, add_member, change_role, checked_role
from ptolemy.accounts.names import checked_name
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events.log import Entry, record
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import NotFound

_ROBOTS = "select m.* from members m where m.workspace_id = ? and m.type = 'robot'"


async def create_robot(tx: Transaction, name: str, role: str) -> Row:
    """A new robot, as its membership with its `name`; it has no token yet."""
    checked = checked_role(role, ROBOT_ROLES)
    user_id = uuid7()
    await tx.run(Sql.of("insert into users (id, kind, name) values (?, 'robot', ?)", user_id, checked_name(name)))
    return await add_member(tx, user_id, checked)


async def robot(tx: Transaction, user_id: UUID | None) -> Row:
    row = await tx.row(Sql.of(f"{_ROBOTS} and m.user_id = ?", tx.workspace_id, user_id))
    if row is None:
        raise NotFound("not_found", "there is no such robot in this workspace")
    return row


async def robots(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Row]:
    """The robots of the workspace, in order of their memberships' ids behind `after`."""
    statement = Sql.of(
        f"{_ROBOTS} and (?::uuid is null or m.id > ?) order by m.id limit ?", tx.workspace_id, after, after, limit
    )
    return await tx.rows(statement)


async def change_robot(tx: Transaction, user_id: UUID | None, *, name: str | None, role: str | None) -> Row:
    """Another name, another role, or both; what is None stays."""
    await tx.lock("memberships")
    old = await robot(tx, user_id)
    if role is not None:
        await change_role(tx, old["id"], role)
    if name is not None and checked_name(name) != old["name"]:
        await tx.run(Sql.of("update users set name = ?, updated_at = now() where id = ?", name, old["user_id"]))
        await tx.run(
            Sql.of(
                "update memberships set updated_at = now() where workspace_id = ? and id = ?",
                tx.workspace_id,
                old["id"],
            )
        )
        changes = {"name": {"from": old["name"], "to": name}}
        await record(tx, [Entry("membership.updated", "membership", old["id"], name, changes)])
    return await robot(tx, user_id)


async def robot_named(tx: Transaction, name: str) -> Row | None:
    """The oldest robot of the workspace with this name."""
    return await tx.row(Sql.of(f"{_ROBOTS} and m.name = ? order by m.id limit 1", tx.workspace_id, name))
