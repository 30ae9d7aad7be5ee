"""Robots: service accounts of one workspace, viewers or members, that carry tokens."""

from __future__ import annotations

from uuid import UUID

from ptolemy.accounts.memberships import ROBOT_ROLES, add_member, checked_role
from ptolemy.accounts.names import checked_name
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import NotFound

_ROBOTS = (
    "select m.*, u.kind, u.email, u.name from memberships m join users u on u.id = m.user_id"
    " where m.workspace_id = ? and u.kind = 'robot'"
)


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


async def robot_named(tx: Transaction, name: str) -> Row | None:
    """The oldest robot of the workspace with this name."""
    return await tx.row(Sql.of(f"{_ROBOTS} and u.name = ? order by m.id limit 1", tx.workspace_id, name))
