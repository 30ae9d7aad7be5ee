"""A workspace with an admin, a robot and its token."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from uuid import UUID

from ptolemy.accounts.passwords import Passwords
from ptolemy.accounts.people import create_person
from ptolemy.accounts.robots import create_robot
from ptolemy.accounts.sign_in import sign_in
from ptolemy.accounts.tokens import issue_token
from ptolemy.accounts.workspaces import create_workspace
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Office:
    """One workspace, and who is in it."""

    database: Database
    passwords: Passwords
    slug: str
    caller: Caller
    email: str
    admin_id: UUID
    robot_id: UUID
    token: str

    @property
    def workspace_id(self) -> UUID:
        return self.caller.workspace_id

    async def sign_in(self) -> str:
        return (await sign_in(self.database, self.passwords, self.email, PASSWORD)).access_token

    async def events(self) -> list[tuple[str, str]]:
        """Type and identifier of what happened here, oldest first."""
        async with self.database.transaction(self.caller) as tx:
            rows = await tx.rows(
                Sql.of(
                    "select event_type, resource_identifier from events where workspace_id = ? order by id",
                    self.workspace_id,
                )
            )
        return [(row["event_type"], row["resource_identifier"]) for row in rows]

    async def members(self) -> dict[str, Row]:
        async with self.database.transaction(self.caller) as tx:
            rows = await tx.rows(
                Sql.of(
                    "select m.*, u.email, u.name from memberships m join users u on u.id = m.user_id"
                    " where m.workspace_id = ?",
                    self.workspace_id,
                )
            )
        return {row["email"] or row["name"]: row for row in rows}


async def no_seed(tx: Transaction) -> None:
    """A workspace that begins empty."""


async def open_office(database: Database, passwords: Passwords) -> Office:
    name = uuid.uuid4().hex[:12]
    caller = Caller(uuid7(), SYSTEM)
    email = f"ann.{name}@example.com"
    async with database.transaction(caller) as tx:
        ann = await create_person(tx, passwords, email, PASSWORD, "Ann")
        await create_workspace(tx, name, None, creator=ann["id"], seed=no_seed)
        loader = await create_robot(tx, "loader", "member")
        token, _ = await issue_token(tx, loader["user_id"])
    return Office(database, passwords, name, caller, email, ann["id"], loader["user_id"], token)
