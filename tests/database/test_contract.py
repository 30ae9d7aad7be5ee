"""Every table of a workspace can be distributed by workspace, and is as its declaration says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from ptolemy.backups.policies import BackupPolicies
from ptolemy.backups.rehearsals.resource import Rehearsals
from ptolemy.backups.resource import Backups
from ptolemy.backups.restores.resource import BackupRestores
from ptolemy.catalogue import RESOURCES
from ptolemy.database.security import APPEND_ONLY, WITHOUT_WORKSPACE
from ptolemy.engine.filters.custom import custom_values
from ptolemy.engine.resource import Resource, columns
from ptolemy.engine.tables import create_table, has_keys, keys_view
from ptolemy.exports.resource import Exports
from ptolemy.imports.resource import Imports
from ptolemy.webhooks.resource import WebhookDeliveries, Webhooks
from tests.house import execute

HOOKS: tuple[type[Resource], ...] = (Webhooks, WebhookDeliveries)
BY_HAND = (
    "imports_sha256",
    "backups_policy",
    "backups_running",
    "webhook_deliveries_log",
    "webhook_deliveries_pending",
)
"""Indexes for queries of their rooms, not of the engine."""

Rows = list[asyncpg.Record]

TABLES = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
KEYS = """
select i.indrelid::regclass::text as table_name, i.indexrelid::regclass::text as name,
  (select attname from pg_attribute where attrelid = i.indrelid and attnum = i.indkey[0]) as first
from pg_index i
join pg_class c on c.oid = i.indrelid
where c.relnamespace = 'public'::regnamespace and (i.indisunique or i.indisprimary or i.indisexclusion)
"""
FOREIGN_KEYS = """
select conrelid::regclass::text as table_name, confrelid::regclass::text as target, conname,
  (select attname from pg_attribute where attrelid = conrelid and attnum = conkey[1]) as first,
  (select attname from pg_attribute where attrelid = confrelid and attnum = confkey[1]) as first_target,
  confdeltype
from pg_constraint
where contype = 'f' and connamespace = 'public'::regnamespace
"""


def fetch(dsn: str, statement: str, *args: object) -> Rows:
    async def work() -> Rows:
        driver = await asyncpg.connect(dsn)
        try:
            return list(await driver.fetch(statement, *args))
        finally:
            await driver.close()

    return asyncio.run(work())


@pytest.fixture(scope="module")
def tenant_tables(database_url: str) -> list[str]:
    return [row["relname"] for row in fetch(database_url, TABLES) if row["relname"] not in WITHOUT_WORKSPACE]


def test_every_key_of_a_tenant_table_begins_with_the_workspace(database_url: str, tenant_tables: list[str]) -> None:
    keys = [row for row in fetch(database_url, KEYS) if row["table_name"] in tenant_tables]
    assert {row["table_name"] for row in keys} == set(tenant_tables)
    assert {row["name"]: row["first"] for row in keys if row["first"] != "workspace_id"} == {}


def test_every_reference_between_tenant_tables_begins_with_the_workspace(
    database_url: str, tenant_tables: list[str]
) -> None:
    references = [row for row in fetch(database_url, FOREIGN_KEYS) if row["table_name"] in tenant_tables]
    assert references
    for row in references:
        assert (row["first"], row["first_target"]) == ("workspace_id", "workspace_id"), row["conname"]
        assert row["target"] in tenant_tables, f"{row['conname']}: a distributed table can't refer to a local one"
        assert row["confdeltype"] != b"n", f"{row['conname']}: on delete set null isn't supported on Citus"


def test_no_local_table_refers_to_a_tenant_table(database_url: str, tenant_tables: list[str]) -> None:
    local = [row for row in fetch(database_url, FOREIGN_KEYS) if row["table_name"] not in tenant_tables]
    assert not [row["conname"] for row in local if row["target"] in tenant_tables]


def test_tenant_tables_have_no_triggers(database_url: str) -> None:
    assert not fetch(database_url, "select tgname from pg_trigger where not tgisinternal")


def test_every_tenant_table_remembers_when_a_row_was_recorded(database_url: str, tenant_tables: list[str]) -> None:
    statement = "select table_name from information_schema.columns where column_name = 'recorded_at'"
    assert {row["table_name"] for row in fetch(database_url, statement)} >= set(tenant_tables)


def test_every_text_column_has_the_one_collation(database_url: str, tenant_tables: list[str]) -> None:
    statement = """
    select c.relname || '.' || a.attname as name
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid and c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    join pg_collation l on l.oid = a.attcollation
    where a.atttypid = 'text'::regtype and a.attnum > 0 and l.collname <> 'pg_c_utf8' and c.relname = any($1)
    """
    assert not fetch(database_url, statement, tenant_tables)


def test_row_level_security_is_on_for_every_tenant_table(database_url: str, tenant_tables: list[str]) -> None:
    statement = "select tablename from pg_policies where policyname = 'one_workspace' and 'ptolemy_app' = any(roles)"
    assert {row["tablename"] for row in fetch(database_url, statement)} == set(tenant_tables)
    secured = "select relname from pg_class where relrowsecurity and relnamespace = 'public'::regnamespace"
    assert {row["relname"] for row in fetch(database_url, secured)} == set(tenant_tables)


def test_the_application_cannot_change_or_remove_events(database_url: str) -> None:
    for table in APPEND_ONLY:
        for right in ("update", "delete", "truncate"):
            [row] = fetch(database_url, "select has_table_privilege('ptolemy_app', $1, $2) as may", table, right)
            assert not row["may"], (table, right)


@pytest.fixture(scope="module")
def declared_url(database_url: str) -> Iterator[str]:
    """A database whose tables come from the declarations rather than from the migrations."""
    name = f"declared_{uuid4().hex}"
    execute(database_url, f"create database {name}")
    url = urlsplit(database_url)._replace(path=f"/{name}").geturl()
    resources: list[type[Resource]] = [
        *(type(resource) for resource in RESOURCES),
        Exports,
        Imports,
        BackupPolicies,
        Backups,
        Rehearsals,
        BackupRestores,
        *HOOKS,
    ]
    functions = [row["definition"] for row in fetch(database_url, FUNCTIONS)]
    execute(
        url, "create extension btree_gist", *functions, *(each for kind in resources for each in create_table(kind))
    )
    yield url
    execute(database_url, f"drop database {name} with (force)")


FUNCTIONS = """
select pg_get_functiondef(p.oid) as definition
from pg_proc p
where p.pronamespace = 'public'::regnamespace
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
order by p.oid
"""
COLUMNS = """
select table_name, column_name, data_type, collation_name, is_nullable, column_default
from information_schema.columns where table_schema = 'public' and table_name = any($1)
order by table_name, column_name
"""
INDEXES = """
select tablename, indexdef from pg_indexes
where schemaname = 'public' and tablename = any($1)
order by indexname
"""
CONSTRAINTS = """
select conrelid::regclass::text as table_name, pg_get_constraintdef(oid) as definition
from pg_constraint
where connamespace = 'public'::regnamespace and conrelid::regclass::text = any($1)
order by 1, 2
"""


VIEWS = """
select c.relname, pg_get_viewdef(c.oid) from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
  and not coalesce('security_invoker=true' = any(c.reloptions), false)
order by c.relname
"""
"""Views that are read with their owner's rights; under the rights of who asks, row-level security does what it does."""


def test_the_only_views_are_of_the_keys_that_records_are_found_by(database_url: str, declared_url: str) -> None:
    views = [tuple(row) for row in fetch(database_url, VIEWS)]
    assert views == [tuple(row) for row in fetch(declared_url, VIEWS)]
    assert [view for view, _ in views] == sorted(keys_view(type(each)) for each in RESOURCES if has_keys(type(each)))


def test_the_keys_show_nothing_that_no_filter_compares(database_url: str) -> None:
    for resource in (each for each in RESOURCES if has_keys(type(each))):
        statement = "select column_name from information_schema.columns where table_name = $1"
        shown = {row["column_name"] for row in fetch(database_url, statement, keys_view(type(resource)))}
        compared = {name for name, of in columns(type(resource)).items() if of.operators}
        assert shown == {"workspace_id", *compared, *(["field_values"] if custom_values(type(resource)) else [])}


def test_the_keys_show_of_free_json_only_whether_there_is_any(database_url: str) -> None:
    async def shown() -> list[str | None]:
        driver = await asyncpg.connect(database_url)
        transaction = driver.transaction()
        await transaction.start()
        try:
            workspace, kind = uuid4(), uuid4()
            await driver.execute(f"set local ptolemy.workspace_id = '{workspace}'")
            await driver.execute(
                "insert into instrument_types (workspace_id, id, identifier) values ($1, $2, 'equity')", workspace, kind
            )
            for extras in (None, '{"secret": 1}'):
                await driver.execute(
                    "insert into instruments (workspace_id, id, identifier, name, type_id, field_values, extras)"
                    " values ($1, $2, gen_random_uuid()::text, '', $3, '{}', $4)",
                    workspace,
                    uuid4(),
                    kind,
                    extras,
                )
            rows = await driver.fetch("select extras from instruments_keys order by extras nulls first")
            return [row["extras"] for row in rows]
        finally:
            await transaction.rollback()
            await driver.close()

    assert asyncio.run(shown()) == [None, "{}"]


@pytest.mark.parametrize("statement", [COLUMNS, INDEXES, CONSTRAINTS], ids=["columns", "indexes", "constraints"])
def test_the_migrated_tables_are_what_the_declarations_say(
    statement: str, database_url: str, declared_url: str
) -> None:
    tables = [row["relname"] for row in fetch(declared_url, TABLES)]
    migrated = [tuple(row) for row in fetch(database_url, statement, tables)]
    declared = [tuple(row) for row in fetch(declared_url, statement, tables)]
    by_hand = tuple(f"INDEX {name} " for name in BY_HAND)
    assert [row for row in migrated if not any(each in str(row[1]) for each in by_hand)] == declared
