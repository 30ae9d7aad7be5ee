"""A workspace that only one session sees and that ends with it: every table once more, as a temporary one.

A temporary table hides the one of its name, so whatever runs on the session works on these as it would on those, by the
same columns, constraints and indexes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql, name
from ptolemy.database.transaction import Driver, Transaction
from ptolemy.kernel.actors import Actor, Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Forbidden

_BUFFERS = "64MB"
"""Of temporary tables, beside those that all sessions share."""


@asynccontextmanager
async def scratch_workspace(database: Database, actor: Actor) -> AsyncIterator[Transaction]:
    """An empty workspace without even listing statuses, in an open transaction; nothing else is in its tables."""
    async with database.apart() as driver:
        try:
            await _shadow_tables(driver)
        except asyncpg.InsufficientPrivilegeError:
            raise Forbidden(
                "no_temporary_tables",
                "the database refuses temporary tables: the operator has to grant `temporary` on it to ptolemy_owner",
            ) from None
        await driver.execute("begin")
        tx = Transaction(driver, Caller(uuid7(), actor), database.epoch)
        await tx.run(
            Sql.of("insert into workspaces (id, slug, name) values (?, 'scratch', 'scratch')", tx.workspace_id)
        )
        await commit_so_far(tx)
        yield tx
        await driver.execute("commit")


async def commit_so_far(tx: Transaction) -> None:
    """Ends the transaction and begins the next: a long one that writes would hold back the feed of every workspace."""
    await tx.driver.execute("commit")
    await tx.driver.execute("begin")


async def _shadow_tables(driver: Driver) -> None:
    # A connection whose process is frozen or gone lets go of its tables.
    await driver.execute(
        f"set temp_buffers = '{_BUFFERS}'; set synchronous_commit = off; set idle_session_timeout = '10min'"
    )
    tables = await driver.fetch(
        "select oid, relname from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"
        " and relname not in ('installation', 'schema_migrations')"
        " order by relname"
    )
    oids = [table["oid"] for table in tables]
    # Read before a table hides what their text refers to: so it will mean the temporary one.
    constraints = await driver.fetch(
        "select conrelid::regclass::text as of, conname, pg_get_constraintdef(oid) as rule from pg_constraint"
        " where conrelid = any($1) and contype in ('p', 'u', 'x', 'f')"
        # What a foreign key refers to must be unique first.
        " order by contype = 'f', conrelid, conname",
        oids,
    )
    indexes = await driver.fetch(
        "select pg_get_indexdef(indexrelid) as index from pg_index i join pg_class c on c.oid = i.indexrelid"
        " where indrelid = any($1) and not exists (select from pg_constraint where conindid = indexrelid)"
        # Those of custom fields belong to other workspaces.
        " and c.relname not like 'cfi\\_%'",
        oids,
    )
    async with driver.transaction():
        for table in tables:
            called = name(table["relname"])
            await driver.execute(
                f"create temporary table {called}"
                f" (like public.{called} including defaults including constraints including generated)"
            )
        for index in indexes:
            await driver.execute(index["index"].replace(" ON public.", " ON pg_temp.", 1))
        for each in constraints:
            await driver.execute(
                f'alter table pg_temp.{name(each["of"])} add constraint "{each["conname"]}" {each["rule"]}'
            )
