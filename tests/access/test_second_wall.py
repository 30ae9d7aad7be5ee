"""Row-level security, with the first wall taken away: statements that forget the workspace reach nothing of another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest

from ptolemy.database.security import APP, APPEND_ONLY, OWNER, WITHOUT_WORKSPACE
from ptolemy.database.sql import name
from ptolemy.database.transaction import Driver
from tests.product import Workspace

SERVER_WIDE = frozenset({"installation", "schema_migrations"})


@pytest.fixture
async def victim(workspace: Workspace, product_database_url: str) -> AsyncIterator[tuple[Driver, UUID]]:
    """The application's role in another workspace, and the one that it mustn't reach."""
    driver = await asyncpg.connect(product_database_url)
    try:
        workspace_id = await driver.fetchval("select id from workspaces where slug = $1", workspace.slug)
        yield driver, workspace_id
    finally:
        await driver.close()


async def test_every_table_has_the_second_wall_or_belongs_to_no_workspace(victim: tuple[Driver, UUID]) -> None:
    driver, _ = victim
    rows = await driver.fetch(
        "select relname, relrowsecurity, pg_get_userbyid(relowner) as owner,"
        " exists (select from pg_policy where polrelid = pg_class.oid) as has_policy"
        " from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
    )
    unguarded = {row["relname"] for row in rows if not (row["relrowsecurity"] and row["has_policy"])}
    assert unguarded == {row["relname"] for row in rows} & (WITHOUT_WORKSPACE | SERVER_WIDE)
    # Row-level security doesn't bind a table's owner: the application's role must never be one.
    assert {row["owner"] for row in rows} == {OWNER}


@pytest.mark.usefixtures("one_server")
async def test_a_statement_that_forgets_the_workspace_reaches_no_other(victim: tuple[Driver, UUID]) -> None:
    driver, workspace_id = victim
    tables = await _tenant_tables(driver)
    for table in tables:
        await _plant(driver, table, workspace_id)
    reached = {}
    for table in tables:
        for what, statement in {
            "select": f"select * from {name(table)}",
            "update": f"update {name(table)} set workspace_id = workspace_id",
            "delete": f"delete from {name(table)}",
        }.items():
            if rows := await _as_another(driver, statement, refused=table in APPEND_ONLY and what != "select"):
                reached[table, what] = rows
    assert len(tables) > 20
    assert not reached


@pytest.mark.usefixtures("one_server")
async def test_no_row_can_be_put_into_another_workspace(victim: tuple[Driver, UUID]) -> None:
    driver, workspace_id = victim
    for table in await _tenant_tables(driver):
        insert = f"insert into {name(table)} (workspace_id) values ('{workspace_id}')"
        with pytest.raises(asyncpg.PostgresError) as refused:
            await _as_another(driver, insert)
        # It is looked at before what a column must have: another refusal would come without the wall too.
        assert "row-level security" in str(refused.value), table


async def test_without_a_workspace_nothing_is_reached_at_all(victim: tuple[Driver, UUID]) -> None:
    driver, _ = victim
    for table in await _tenant_tables(driver):
        with pytest.raises(asyncpg.PostgresError, match=r"ptolemy\.workspace_id|invalid input syntax for type uuid"):
            async with driver.transaction():
                await _become_the_application(driver)
                await driver.fetch(f"select count(*) from {name(table)}")


async def _tenant_tables(driver: Driver) -> list[str]:
    rows = await driver.fetch(
        "select relname from pg_class where relkind in ('r', 'p') and relrowsecurity and"
        " relnamespace = 'public'::regnamespace order by relname"
    )
    return [row["relname"] for row in rows]


async def _plant(driver: Driver, table: str, workspace_id: UUID) -> None:
    """A row of the victim's in a table that has none, with whatever its columns take; foreign keys are off."""
    if await driver.fetchval(f"select exists (select from {name(table)} where workspace_id = $1)", workspace_id):
        return
    columns = await driver.fetch(
        "select a.attname, format_type(a.atttypid, null) as kind,"
        # One of the words that a column is limited to.
        " (select substring(pg_get_constraintdef(c.oid) from $re$'([a-z_]+)'::text$re$) from pg_constraint c"
        "  where c.conrelid = a.attrelid and c.contype = 'c' and a.attnum = any(c.conkey) limit 1) as word"
        " from pg_attribute a"
        " where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped and a.attnotnull"
        " and not a.atthasdef and a.attname <> 'workspace_id'",
        table,
    )
    samples = {
        "uuid": f"'{uuid4()}'",
        "jsonb": "'{}'",
        "boolean": "true",
        "bytea": r"'\x00'",
        "date": "'2026-01-01'",
        "timestamp with time zone": "now()",
        "time without time zone": "'10:00'",
    }
    names = ", ".join(["workspace_id", *(name(each["attname"]) for each in columns)])
    values = ", ".join(
        [
            f"'{workspace_id}'",
            *(f"'{each['word']}'" if each["word"] else samples.get(each["kind"], "'1'") for each in columns),
        ]
    )
    async with driver.transaction():
        await driver.execute("set local session_replication_role = replica")
        await driver.execute(f"insert into {name(table)} ({names}) values ({values})")


async def _become_the_application(driver: Driver) -> None:
    # As a member of its role: what the role itself runs counts as the product's, and must name the workspace.
    role = f"intruder_{uuid4().hex}"
    await driver.execute(f"create role {role} in role {APP}; set local role {role}")


async def _as_another(driver: Driver, statement: str, *, refused: bool = False) -> int:
    """How many rows the statement reaches as the application, for another workspace; undone at the end."""
    transaction = driver.transaction()
    await transaction.start()
    try:
        await _become_the_application(driver)
        await driver.execute(f"set local ptolemy.workspace_id = '{uuid4()}'")
        if statement.startswith("select"):
            return len(await driver.fetch(statement))
        return int((await driver.execute(statement)).rsplit(" ", 1)[-1])
    except asyncpg.InsufficientPrivilegeError:
        if not refused:
            raise
        return 0
    finally:
        await transaction.rollback()
