"""Indexes of custom fields: built for many records when one is asked for, used under row-level security, dropped."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from ptolemy.catalogue import RESOURCES
from ptolemy.database.embedded.binaries import binaries_for
from ptolemy.database.embedded.children import account_for
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql, numbered
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import custom_field_indexes, read
from ptolemy.engine.cursors import Cursors
from ptolemy.engine.custom_field_indexes import CustomFieldIndexHandler
from ptolemy.engine.filters import Condition
from ptolemy.engine.keyset import Direction
from ptolemy.engine.read import Query
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.signing import Signer
from ptolemy.resources.instruments import Instruments
from tests import house
from tests.filters.jobs import held_job
from tests.filters.stock import Shop, condition, sort
from tests.product import Workspace, answered, wait_for
from tests.serving import configured, serving, signed_in

MANY = 1000
CURSORS = Cursors(Signer("a secret key that only the tests know", "cursors"))


@pytest.fixture(scope="module")
def shop(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A product of its own, which takes a thousand records for many, and three thousand equities."""
    folder = tmp_path_factory.mktemp("files")
    with serving(replace(configured(database_url, folder), indexed_from_records=MANY)) as url:
        token = signed_in(url, database_url)
        headers = {"Authorization": f"Bearer {token}"}
        answered(httpx.post(f"{url}/v1/workspaces", json={"slug": "many"}, headers=headers), 201)
        shop = Shop(Workspace(url, "many", token))
        assert shop.workspace.import_file("instruments", equities(3000))["status"] == "completed"
        for number in range(20):
            shop.add(f"b{number}", "bond", issuer="x")
        yield shop


def equities(count: int) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["identifier", "name", "type_id", "field.sector", "field.shares", "field.listed", "field.active"])
    for n in range(count):
        day = f"{1990 + n % 30}-{n % 12 + 1:02}-01"
        writer.writerow([f"e{n}", f"Equity {n}", "equity", f"Sector {n % 11}", n * 7 % 3001, day, n % 2 == 0])
    return out.getvalue().replace("True", "true").replace("False", "false").encode()


class Explaining(Transaction):
    """Keeps the plans of the pages that it reads."""

    plans: list[str]

    async def rows(self, sql: Sql) -> list[Row]:
        if " limit " in sql.text:
            lines = await self.driver.fetch(f"explain {numbered(sql.text)}", *sql.args)
            self.plans.append("\n".join(line[0] for line in lines))
        return await super().rows(sql)


@asynccontextmanager
async def explaining(url: str, slug: str = "many") -> AsyncIterator[Explaining]:
    """As the application reads: its role, under row-level security."""
    database = await Database.open(url, app_connections=1, owner_connections=1)
    try:
        async with database.session() as session:
            workspace = await session.value(Sql.of("select id from workspaces where slug = ?", slug))
        async with database.transaction(Caller(workspace, SYSTEM)) as tx:
            explained = Explaining(tx.driver, tx.caller, tx.epoch)
            explained.plans = []
            yield explained
    finally:
        await database.close()


async def fetched(url: str, statement: str, *args: Any) -> list[asyncpg.Record]:
    driver = await asyncpg.connect(url)
    try:
        return list(await driver.fetch(statement, *args))
    finally:
        await driver.close()


def index_rows(url: str, key: str, type_name: str = "equity") -> list[asyncpg.Record]:
    statement = (
        "select i.* from custom_field_indexes i join instrument_types t on t.workspace_id = i.workspace_id"
        " and t.id = i.type_id where i.field_key = $1 and t.identifier = $2"
    )
    return house.finished(fetched(url, statement, key, type_name))


def ready(shop: Shop, url: str, key: str) -> str:
    """The name of the index of a field, once it is built."""
    answered(shop.ask(sort=sort(f"field.{key}"), limit=1, type_id="equity"), 200)

    def built() -> str | None:
        rows = [row for row in index_rows(url, key) if row["state"] == "ready"]
        return f"cfi_{rows[0]['id'].hex}" if rows else None

    return wait_for(built)


async def plans(
    url: str, *, sort: list[tuple[str, Direction]] | None = None, after: str | None = None, **asked: Any
) -> list[str]:
    filter_ = Condition.model_validate(asked["filter"]) if "filter" in asked else None
    query = Query(filter=filter_, q=asked.get("q"), sort=sort or [], after=after, limit=50)
    async with explaining(url) as tx:
        await read.page(tx, Instruments, query, CURSORS)
        return tx.plans


async def test_a_filter_walks_the_index_of_a_custom_field(shop: Shop, database_url: str) -> None:
    for key, asked in (
        ("shares", condition("field.shares", "gt", "2900")),
        ("listed", condition("field.listed", "lt", "1991-01-01")),
        ("sector", condition("field.sector", "eq", "Sector 3")),
    ):
        name = ready(shop, database_url, key)
        [plan] = await plans(database_url, filter={"and": [asked, condition("type_id", "eq", "equity")]})
        assert f"Scan using {name}" in plan or f"Bitmap Index Scan on {name}" in plan, plan
        assert "Filter: (custom_" not in plan


async def test_a_sort_walks_the_index_both_ways_and_from_the_middle(shop: Shop, database_url: str) -> None:
    name = ready(shop, database_url, "shares")
    asked = condition("field.sector", "eq", "Sector 3")
    directions: list[Direction] = ["asc", "desc"]
    for direction in directions:
        [plan] = await plans(database_url, filter=asked, sort=[("field.shares", direction)])
        assert f"using {name}" in plan, plan
        async with explaining(database_url) as tx:
            query = Query(sort=[("field.shares", direction)], limit=50)
            after = (await read.page(tx, Instruments, query, CURSORS)).next_cursor
            tx.plans.clear()
            await read.page(tx, Instruments, replace(query, after=after), CURSORS)
        for plan in tx.plans:
            assert f"using {name}" in plan, plan
            assert "Index Cond" in plan


async def test_words_are_found_through_their_index(shop: Shop, database_url: str) -> None:
    await fetched(database_url, "analyze instruments")
    [plan] = await plans(database_url, q="equity 2999")
    assert "Bitmap Index Scan on instruments_words" in plan, plan


async def test_the_keys_of_another_workspace_are_out_of_reach(shop: Shop, database_url: str) -> None:
    async with explaining(database_url) as tx:
        assert await tx.driver.fetchval("select count(*) from instruments_keys where workspace_id is not null") == 3020
        await tx.driver.execute(f"set local ptolemy.workspace_id = '{UUID(int=7)}'")
        assert await tx.driver.fetchval("select count(*) from instruments_keys where workspace_id is not null") == 0


def test_a_type_of_few_records_gets_none_until_it_has_many(shop: Shop, database_url: str) -> None:
    answered(shop.ask(filter=condition("field.issuer", "eq", "x")), 200)
    ready(shop, database_url, "active")  # asked for later, and built
    [row] = index_rows(database_url, "issuer", "bond")
    assert row["state"] == "wanted"


def test_the_same_records_are_found_with_and_without_the_index(shop: Shop, database_url: str) -> None:
    asked = [condition("field.shares", "gte", "100"), condition("field.active", "eq", True)]
    before = [record["identifier"] for record in shop.walk(200, filter={"and": asked}, sort=sort("-field.shares"))]
    ready(shop, database_url, "shares")
    ready(shop, database_url, "active")
    after = [record["identifier"] for record in shop.walk(200, filter={"and": asked}, sort=sort("-field.shares"))]
    assert before == after
    assert len(after) == sum(n % 2 == 0 and n * 7 % 3001 >= 100 for n in range(3000))


async def handle(url: str, row: asyncpg.Record, **options: Any) -> None:
    database = await Database.open(url, app_connections=2, owner_connections=2)
    try:
        await CustomFieldIndexHandler(database, RESOURCES, **options).run(held_job(row["workspace_id"], row["id"]))
    finally:
        await database.close()


async def test_an_index_that_a_killed_worker_left_half_built_is_built_anew(shop: Shop, database_url: str) -> None:
    name = ready(shop, database_url, "sector")
    [row] = index_rows(database_url, "sector")
    await fetched(database_url, "update custom_field_indexes set state = 'wanted' where id = $1", row["id"])
    await fetched(database_url, "update pg_index set indisvalid = false where indexrelid = $1::text::regclass", name)
    await handle(database_url, row, many_records=MANY)
    [valid] = await fetched(database_url, "select indisvalid from pg_index where indexrelid = $1::text::regclass", name)
    assert valid["indisvalid"]
    assert index_rows(database_url, "sector")[0]["state"] == "ready"


async def test_an_index_that_nobody_uses_is_dropped(shop: Shop, database_url: str) -> None:
    name = ready(shop, database_url, "sector")
    [row] = index_rows(database_url, "sector")
    await fetched(database_url, "update custom_field_indexes set last_used_at = '2020-01-01' where id = $1", row["id"])
    await handle(database_url, row)
    assert index_rows(database_url, "sector") == []
    assert not await fetched(database_url, "select from pg_class where relname = $1", name)
    assert not await fetched(database_url, "select from pg_statistic_ext where stxname = $1", name)


async def test_a_use_is_noted_once_in_a_while(shop: Shop, database_url: str) -> None:
    ready(shop, database_url, "shares")
    [row] = index_rows(database_url, "shares")
    long_ago = "update custom_field_indexes set last_used_at = now() - interval '2 days' where id = $1"
    await fetched(database_url, long_ago, row["id"])
    answered(shop.ask(sort=sort("field.shares"), type_id="equity", identifier="e1"), 200)
    [noted] = index_rows(database_url, "shares")
    assert noted["last_used_at"] > row["last_used_at"]
    answered(shop.ask(sort=sort("field.shares"), type_id="equity", identifier="e1"), 200)
    assert index_rows(database_url, "shares")[0]["last_used_at"] == noted["last_used_at"]


async def test_the_upkeep_looks_at_what_is_wanted_and_what_is_unused(shop: Shop, database_url: str) -> None:
    answered(shop.ask(filter=condition("field.issuer", "eq", "x")), 200)
    [row] = index_rows(database_url, "issuer", "bond")
    async with explaining(database_url) as tx:
        await custom_field_indexes.reconsider(tx)
        kinds = await tx.driver.fetch("select payload from jobs where kind = $1", custom_field_indexes.KIND)
        assert any(str(row["id"]) in kind["payload"] for kind in kinds)
    await handle(database_url, row, many_records=5)
    assert index_rows(database_url, "issuer", "bond")[0]["state"] == "ready"


def test_a_dump_is_restored_with_its_indexes_and_views(shop: Shop, database_url: str, tmp_path: Path) -> None:
    name, programs = ready(shop, database_url, "listed"), binaries_for(account_for(tmp_path / "new"))
    dump, restored = tmp_path / "dump.sql", f"restored_{uuid4().hex[:12]}"
    copy = urlsplit(database_url)._replace(path=f"/{restored}").geturl()
    subprocess.run([programs.program("pg_dump"), "--file", dump, database_url], check=True)
    house.finished(fetched(database_url, f"create database {restored}"))
    try:
        quiet = ("--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--output", "/dev/null")
        subprocess.run([programs.program("psql"), *quiet, "--file", dump, copy], check=True)
        valid = "select indisvalid from pg_index where indexrelid = any($1::text[]::regclass[])"
        names = ["instruments_words", name]
        assert [row["indisvalid"] for row in house.finished(fetched(copy, valid, names))] == [True, True]
        views = "select count(*) as number from pg_views where schemaname = 'public'"
        [number], [original] = house.finished(fetched(copy, views)), house.finished(fetched(database_url, views))
        assert number == original
    finally:
        house.finished(fetched(database_url, f"drop database {restored} with (force)"))


def test_records_of_other_types_are_not_lost_to_the_index(shop: Shop, database_url: str) -> None:
    ready(shop, database_url, "shares")
    bonds = {f"b{number}" for number in range(20)}
    for keys in (("field.shares",), ("-field.shares",), ("-field.shares", "name")):
        walked = [record["identifier"] for record in shop.walk(200, sort=sort(*keys))]
        assert len(walked) == len(set(walked)) == 3020
        assert set(walked[-20:]) == bonds
    few = condition("field.shares", "lt", 5)
    for asked in (
        condition("field.shares", "ne", 5),
        condition("field.shares", "not_in", [5]),
        condition("field.shares", "is_null", True),
        condition("field.shares", "in", [5, None]),
        {"or": [few, condition("type_id", "eq", "bond")]},
    ):
        assert {each["identifier"] for each in shop.walk(200, filter=asked)} >= bonds, asked
    assert len(shop.found(few)) == 5
    assert shop.found(few, type_id="bond") == []
