"""Two roles, and row-level security by workspace as the second wall behind `workspace_id` in every statement.

`ptolemy_owner` owns the tables: migrations, bulk work, retention, `doctor`. `ptolemy_app` serves requests: it sees one
workspace at a time and can neither change nor remove an event. Neither logs in; the login takes their place by `set
role`.
Where the login may not create roles, all runs as the login without row-level security, and `doctor` warns.
"""

from __future__ import annotations

import asyncpg

from ptolemy.database.sql import name
from ptolemy.database.transaction import Driver

OWNER, APP = "ptolemy_owner", "ptolemy_app"

WITHOUT_WORKSPACE = frozenset(
    {
        "installation",
        "schema_migrations",
        "workspaces",
        "removed_workspaces",
        "users",
        "memberships",
        "tokens",
        "invitations",
        "sessions",
        "used_refresh_tokens",
        "sign_in_attempts",
        "plans",
        "token_bursts",
        "jobs",
        "webhook_feeds",
    }
)
"""Tables read before a workspace is known: sign-in, the queue. On Citus they stay local; others are distributed."""

APPEND_ONLY = frozenset({"events"})


async def become_owner(driver: Driver) -> None:
    """Creates the roles where they are missing and takes the owner's place; stays the login where it can't."""
    if not await _may_take_roles(driver):
        await _create_roles(driver)
    if not await _may_take_roles(driver):
        return
    await driver.execute(f"grant usage, create on schema public to {OWNER}")
    await driver.execute(f"grant usage on schema public to {APP}")
    await driver.execute(f"set role {OWNER}")


async def role_for(driver: Driver, role: str) -> str | None:
    """`role`, or None where this login can't take its place."""
    found = await driver.fetchval("select pg_has_role(session_user, oid, 'set') from pg_roles where rolname = $1", role)
    return role if found else None


async def secure(driver: Driver) -> None:
    """Grants and policies for all tables and views; runs as the owner after a migration, and changes nothing twice."""
    if not await _may_take_roles(driver):
        return
    tables = await driver.fetch(
        "select c.relname, c.relrowsecurity from pg_class c"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')"
        " and c.relowner = current_user::regrole"
    )
    for table in tables:
        await _secure_table(driver, name(table["relname"]), secured=table["relrowsecurity"])
    views = await driver.fetch(
        "select relname from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind = 'v' and relowner = current_user::regrole"
    )
    for view in views:
        await driver.execute(f"grant select on {name(view['relname'])} to {APP}")


async def _secure_table(driver: Driver, table: str, *, secured: bool) -> None:
    if table in {"installation", "schema_migrations"}:
        await driver.execute(f"grant select on {table} to {APP}")
        return
    rights = "select, insert" if table in APPEND_ONLY else "select, insert, update, delete"
    await driver.execute(f"grant {rights} on {table} to {APP}")
    if table in WITHOUT_WORKSPACE or secured:
        return
    await driver.execute(f"alter table {table} enable row level security")
    await driver.execute(
        f"create policy one_workspace on {table} to {APP}"
        " using (workspace_id = current_setting('ptolemy.workspace_id')::uuid)"
    )


async def _may_take_roles(driver: Driver) -> bool:
    return bool(await role_for(driver, OWNER) and await role_for(driver, APP))


async def _create_roles(driver: Driver) -> None:
    """Creates what is missing, as far as the login may."""
    for role in (OWNER, APP):
        try:
            await driver.execute(f"create role {role} nologin")
            await driver.execute(f"grant {role} to session_user with inherit true, set true")
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            continue  # another database of this server made it a moment ago
        except asyncpg.InsufficientPrivilegeError:
            return
