"""Indexes of custom fields: asked for by filters and sorts, built and dropped by a job.

Each is partial, for the records of one type of one workspace, so a statement uses it only where it says both as
literals. A field gets one once its type has many records; what nobody has asked for in a while is dropped again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Driver, Row, Transaction
from ptolemy.engine.filters.custom import CustomField, custom_values, expression
from ptolemy.engine.resource import Resource
from ptolemy.jobs import queue
from ptolemy.jobs.job import Job
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7, uuid7s

KIND = "custom_field_index"

MANY_RECORDS = 10_000
MOST_A_TYPE = 16
MOST_IN_ALL = 200
KEPT_UNUSED_DAYS = 30

_LOCK = 7_066_653_949_110_002
"""Any number, the same in every process: one index is built at a time, else two could wait for each other."""


@dataclass(frozen=True)
class Use:
    """A query that an index of this field, for the records of this type, would serve."""

    type_id: UUID
    custom: CustomField


async def note_use(tx: Transaction, resource: type[Resource], uses: Sequence[Use]) -> None:
    """Asks for the indexes that are missing; of those there are, notes their use, about once a day."""
    missing = [use for use in uses if use.type_id not in use.custom.indexes]
    indexes = [use.custom.indexes[use.type_id] for use in uses if use.type_id in use.custom.indexes]
    if missing:
        await _ask(tx, resource, missing)
    if stale := [index.id for index in indexes if index.is_stale]:
        await tx.run(
            Sql.of(
                "update custom_field_indexes set last_used_at = now(), recorded_at = now()"
                " where workspace_id = ? and id = any(?)",
                tx.workspace_id,
                stale,
            )
        )


async def reconsider(tx: Transaction) -> None:
    """Has another look at the indexes of the workspace that are wanted, or used no longer; from time to time."""
    statement = Sql.of(
        "select id from custom_field_indexes"
        " where workspace_id = ? and (state = 'wanted' or last_used_at < now() - make_interval(days => ?))",
        tx.workspace_id,
        KEPT_UNUSED_DAYS,
    )
    await _enqueue(tx, [row["id"] for row in await tx.rows(statement)])


async def _ask(tx: Transaction, resource: type[Resource], missing: Sequence[Use]) -> None:
    asked = await tx.rows(
        Sql.of(
            "insert into custom_field_indexes (workspace_id, id, table_name, type_id, field_key, data_type, state)"
            " select ?::uuid, new.id, ?::text, new.type_id, new.field_key, new.data_type, 'wanted'"
            " from unnest(?::uuid[], ?::uuid[], ?::text[], ?::text[]) as new (id, type_id, field_key, data_type)"
            " on conflict do nothing returning id",
            tx.workspace_id,
            resource.table,
            uuid7s(len(missing)),
            [use.type_id for use in missing],
            [use.custom.key for use in missing],
            [use.custom.data_type for use in missing],
        )
    )
    await _enqueue(tx, [row["id"] for row in asked])


async def _enqueue(tx: Transaction, indexes: Sequence[UUID]) -> None:
    for index in indexes:
        await queue.enqueue(tx, KIND, uuid7(), tx.workspace_id, {"index": str(index)})


class CustomFieldIndexHandler:
    """Builds one index where it pays, or drops it where nobody uses it; may be killed at any moment."""

    def __init__(self, database: Database, resources: Sequence[Resource], *, many_records: int = MANY_RECORDS) -> None:
        self._database, self._many_records = database, many_records
        self._resources: Mapping[str, type[Resource]] = {each.table: type(each) for each in resources}

    async def run(self, job: Job) -> None:
        asked = await self._read(job)
        if asked is None:
            return
        if asked["is_unused"] or asked["state"] == "dropping":
            await self._drop(job, asked)
        elif asked["state"] == "wanted" and await self._pays(job, asked):
            await self._build(job, asked)

    async def gave_up(self, job: Job, reason: str) -> None:
        """Filters work without it, only slower; so it isn't tried again until it was forgotten."""
        await self._mark(job, "failed")

    async def _read(self, job: Job) -> Row | None:
        async with self._database.transaction(Caller(job.workspace_id, SYSTEM)) as tx:
            return await tx.row(
                Sql.of(
                    "select *, last_used_at < now() - make_interval(days => ?) as is_unused"
                    " from custom_field_indexes where workspace_id = ? and id = ?",
                    KEPT_UNUSED_DAYS,
                    tx.workspace_id,
                    UUID(job.payload["index"]),
                )
            )

    async def _pays(self, job: Job, asked: Row) -> bool:
        """Whether the type has many records, and there is room for one more index."""
        values = self._values(asked)
        async with self._database.bulk(Caller(job.workspace_id, SYSTEM)) as tx:
            ready = "select count(*) from custom_field_indexes where state = 'ready'"
            of_type = Sql.of(f"{ready} and workspace_id = ? and type_id = ?", tx.workspace_id, asked["type_id"])
            if await tx.value(of_type) >= MOST_A_TYPE:
                return False
            if await tx.value(Sql(f"{ready} and workspace_id is not null")) >= MOST_IN_ALL:
                return False
            records = Sql.of(
                f"select count(*) from (select 1 from {asked['table_name']}"
                f" where workspace_id = ? and {values.type.name} = ? limit ?) many",
                tx.workspace_id,
                asked["type_id"],
                self._many_records + 1,
            )
            return bool(await tx.value(records) > self._many_records)

    async def _build(self, job: Job, asked: Row) -> None:
        values, name, table = self._values(asked), _name(asked["id"]), asked["table_name"]
        compared = expression(values.name, asked["field_key"], asked["data_type"])
        async with _alone(self._database, job.check_in) as driver:
            if await self._read(job) is None:
                return  # the workspace was removed, and nobody would ever drop what is built now
            is_valid = await driver.fetchval("select indisvalid from pg_index where indexrelid = to_regclass($1)", name)
            if is_valid is False:  # a worker was killed as it built this: PostgreSQL leaves it, and never uses it
                await driver.execute(f"drop index concurrently if exists {name}")
            if not is_valid:
                await driver.execute(
                    f"create index concurrently {name} on {table} (workspace_id, {compared}, id)"
                    f" where workspace_id = '{asked['workspace_id']}' and {values.type.name} = '{asked['type_id']}'"
                )
            # The planner takes no statistics from a partial index.
            await driver.execute(f"create statistics if not exists {name} on ({compared}) from {table}")
            await driver.execute(f"analyze {table}")
        await self._mark(job, "ready")

    async def _drop(self, job: Job, asked: Row) -> None:
        # Statements must count on it no longer; and the row stays until it is gone, so that it is never forgotten.
        await self._mark(job, "dropping")
        async with _alone(self._database, job.check_in) as driver:
            await _gone(driver, asked["id"])
        async with self._database.transaction(Caller(job.workspace_id, SYSTEM)) as tx:
            gone = "delete from custom_field_indexes where workspace_id = ? and id = ?"
            await tx.run(Sql.of(gone, tx.workspace_id, asked["id"]))
            await job.still_ours(tx)

    async def _mark(self, job: Job, state: str) -> None:
        async with self._database.transaction(Caller(job.workspace_id, SYSTEM)) as tx:
            await tx.run(
                Sql.of(
                    "update custom_field_indexes set state = ?, recorded_at = now() where workspace_id = ? and id = ?",
                    state,
                    tx.workspace_id,
                    UUID(job.payload["index"]),
                )
            )
            await job.still_ours(tx)

    def _values(self, asked: Row) -> Any:
        values = custom_values(self._resources[asked["table_name"]])
        assert values is not None  # noqa: S101 - only such resources ask
        return values


async def drop_all(database: Database, workspace_id: UUID, check_in: Callable[[], None]) -> None:
    """Drops the indexes of a workspace that is being removed, and forgets them."""
    of_workspace = Sql.of("select id from custom_field_indexes where workspace_id = ? order by id", workspace_id)
    caller = Caller(workspace_id, SYSTEM)
    async with database.bulk(caller) as tx:
        if not await tx.rows(of_workspace):
            return
    async with _alone(database, check_in) as driver:
        # Nobody builds one now, and who is about to looks whether it is still wanted.
        async with database.bulk(caller) as tx:
            indexes = [row["id"] for row in await tx.rows(of_workspace)]
        for index in indexes:
            check_in()
            await _gone(driver, index)
        async with database.bulk(caller) as tx:
            gone = "delete from custom_field_indexes where workspace_id = ? and id = any(?)"
            await tx.run(Sql.of(gone, workspace_id, indexes))


@asynccontextmanager
async def _alone(database: Database, check_in: Callable[[], None]) -> AsyncIterator[Driver]:
    """A connection of the owner, outside a transaction, while no other process builds or drops an index."""
    async with database.outside() as driver:
        # Tried, not waited for: the build waits for every statement that runs, and ours would be one.
        while not await driver.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            check_in()
            await asyncio.sleep(1)
        try:
            yield driver
        finally:
            await driver.execute("select pg_advisory_unlock($1)", _LOCK)


async def _gone(driver: Driver, index: UUID) -> None:
    name = _name(index)
    await driver.execute(f"drop statistics if exists {name}")
    await driver.execute(f"drop index concurrently if exists {name}")


def _name(index: UUID) -> str:
    return f"cfi_{index.hex}"
