"""Everybody who may knock at the door of one workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import httpx

from ptolemy.accounts.credentials import digest
from tests.access.rules import RANKS
from tests.product import NO_TLS, PATIENCE_SECONDS, Workspace, answered
from tests.serving import sign_in, signed_in


@dataclass(frozen=True)
class Caller:
    """`standing` is their role here, or `nobody`, or `stranger`; without a token they send none."""

    name: str
    token: str | None
    standing: str
    human: bool

    def another_session(self, url: str) -> str:
        """The id of one more session of theirs."""
        with httpx.Client(base_url=f"{url}/v1/auth", timeout=PATIENCE_SECONDS, verify=NO_TLS) as client:
            me = answered(client.get("/me", headers={"Authorization": f"Bearer {self.token}"}), 200)
            new = {"Authorization": f"Bearer {sign_in(url, me['email'])}"}
            sessions = answered(client.get("/sessions", headers=new), 200)["data"]
        return next(str(each["id"]) for each in sessions if each["current"])


def new_workspace(url: str, database_url: str) -> Workspace:
    """A workspace whose admin is nobody else's."""
    token, slug = signed_in(url, database_url), f"w-{uuid4().hex}"
    asked = {"json": {"slug": slug}, "headers": {"Authorization": f"Bearer {token}"}, "timeout": PATIENCE_SECONDS}
    answered(httpx.post(f"{url}/v1/workspaces", **asked), 201)  # type: ignore[arg-type] # three keywords
    return Workspace(url, slug, token)


def callers(workspace: Workspace, other: Workspace, database_url: str) -> list[Caller]:
    """Without credentials, with bad ones, in each role, and from the other workspace."""
    url, here = workspace.url, UUID(answered(workspace.admin.get("/"), 200)["id"])
    there = UUID(answered(other.admin.get("/"), 200)["id"])
    people = {role: signed_in(url, database_url) for role in (*RANKS, "expired", "revoked", "stranger")}
    robots = {role: workspace.token(role) for role in ("viewer", "member")}
    gone = {state: workspace.token("member") for state in ("expired", "revoked")}

    async def arrange(driver: asyncpg.Connection) -> None:
        for role, token in people.items():
            await driver.execute(
                "insert into memberships (workspace_id, id, user_id, role)"
                " select $1, gen_random_uuid(), user_id, $2 from sessions where access_hash = $3",
                there if role == "stranger" else here,
                role if role in RANKS else "admin",
                digest(token),
            )
        for table, hashed, expires, tokens in (
            ("sessions", "access_hash", "access_expires_at", people),
            ("tokens", "hash", "expires_at", gone),
        ):
            for column, state in ((expires, "expired"), ("revoked_at", "revoked")):
                await driver.execute(
                    f"update {table} set {column} = now() - interval '1 second' where {hashed} = $1",
                    digest(tokens[state]),
                )

    with_database(database_url, arrange)
    return [
        Caller("no token", None, "nobody", human=False),
        Caller("a token that nobody has made", f"ptk_live_{'0' * 64}", "nobody", human=False),
        *(Caller(f"{state} token of a robot", gone[state], "nobody", human=False) for state in gone),
        *(Caller(f"{state} sign-in of an admin", people[state], "nobody", human=True) for state in gone),
        *(Caller(f"human {role}", people[role], role, human=True) for role in RANKS),
        *(Caller(f"robot {role}", token, role, human=False) for role, token in robots.items()),
        Caller("admin of another workspace", people["stranger"], "stranger", human=True),
        Caller("robot of another workspace", other.token("member"), "stranger", human=False),
    ]


def with_database(database_url: str, work: Callable[[asyncpg.Connection], Awaitable[object]]) -> None:
    async def connected() -> None:
        driver = await asyncpg.connect(database_url)
        try:
            await work(driver)
        finally:
            await driver.close()

    asyncio.run(connected())
