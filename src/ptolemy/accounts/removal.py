"""Removing a workspace, for ever: access ends at once, and a job removes all that it held, a little at a time.

What is under way as it happens may still write a row or a file. So the workspace is remembered as removed for a week,
and upkeep looks again and again whether anything of it has turned up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter
from typing import NamedTuple
from uuid import UUID

import structlog

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql, joined, name
from ptolemy.database.transaction import Driver, Row, Session, Transaction
from ptolemy.engine import custom_field_indexes
from ptolemy.files.store import FileStore
from ptolemy.jobs import queue
from ptolemy.jobs.job import Job
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import FieldError, Invalid, NotFound

KIND = "workspace_removal"

_AT_ONCE = 20_000
_REMEMBERED_DAYS = 7

log = structlog.get_logger("ptolemy.workspaces")


async def remove_workspace(tx: Transaction, confirm: str) -> None:
    """Ends all access to the transaction's workspace, its jobs with it, and frees its slug; the rest follows.

    `confirm` is its slug, as whoever removes it has typed it.
    """
    # A member that is added meanwhile would keep the row of the workspace.
    row = await tx.row(Sql.of("select slug from workspaces where id = ? for update", tx.workspace_id))
    if row is None:
        raise NotFound("workspace_not_found", "the workspace was removed")
    if row["slug"] != confirm:
        message = f"must be the workspace's slug, {row['slug']}: what is removed can't be brought back"
        raise Invalid(FieldError("confirm", "not_confirmed", message))
    robots = await _robots_of_its_own(tx)
    # What its jobs were about to bring back won't come.
    await tx.run(
        Sql.of(
            "delete from workspaces where restored_by in (select id from jobs where workspace_id = ?)", tx.workspace_id
        )
    )
    # Takes along members, tokens and jobs; a job that runs finds out as it next commits something.
    await tx.run(Sql.of("delete from workspaces where id = ?", tx.workspace_id))
    await tx.run(Sql.of("delete from users where id = any(?)", robots))
    await tx.run(Sql.of("insert into removed_workspaces (id) values (?)", tx.workspace_id))
    await queue.enqueue(tx, KIND, uuid7(), None, {"workspace": str(tx.workspace_id)})
    who = {"actor_type": tx.actor.type, "actor_id": str(tx.actor.id)}
    log.info("workspace_removed", workspace_id=str(tx.workspace_id), slug=confirm, **who)


async def _robots_of_its_own(tx: Transaction) -> list[UUID]:
    """Robots that belong or have belonged here, and nowhere else."""
    rows = await tx.rows(
        Sql.of(
            "select u.id from users u"
            " where u.kind = 'robot'"
            " and u.id in ("
            "  select user_id from memberships where workspace_id = ?"
            "  union select user_id from tokens where workspace_id = ?"
            " )"
            " and not exists (select from memberships m where m.user_id = u.id and m.workspace_id <> ?)"
            " and not exists (select from tokens t where t.user_id = u.id and t.workspace_id <> ?)",
            *[tx.workspace_id] * 4,
        )
    )
    return [row["id"] for row in rows]


class RemovalHandler:
    """Removes what a removed workspace held; may be killed at any moment, and goes on where that one was."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._database, self._files = database, files

    async def run(self, job: Job) -> None:
        await remove_contents(self._database, self._files, UUID(job.payload["workspace"]), job.check_in)
        async with self._database.session() as session:
            await job.finish(session)

    async def gave_up(self, job: Job, reason: str) -> None:
        """Nothing to mark: upkeep tries again."""


async def remove_contents(
    database: Database, files: FileStore, workspace_id: UUID, check_in: Callable[[], None]
) -> None:
    """Removes every index, row and file of a workspace that isn't there any more, in short transactions."""
    await custom_field_indexes.drop_all(database, workspace_id, check_in)
    async with database.outside() as driver:
        tables = await tables_of_workspaces(driver)
    for table in tables:
        await _remove_rows(database, Caller(workspace_id, SYSTEM), table, check_in)
    for key in [found.key async for found in files.files(str(workspace_id))]:
        check_in()
        await files.delete(key)


async def _remove_rows(database: Database, caller: Caller, table: Table, check_in: Callable[[], None]) -> None:
    last: Row | None = None
    more = True
    while more:
        check_in()
        async with database.bulk(caller) as tx:
            last = await _remove_some(tx, table, last)
        more = last is not None


async def remove_late_arrivals(database: Database, files: FileStore, check_in: Callable[[], None]) -> None:
    """Removes what has turned up of removed workspaces, and forgets those that were removed long ago."""
    async with database.session() as session:
        removed = await session.rows(Sql("select id from removed_workspaces order by id"))
    for row in removed:
        await remove_contents(database, files, row["id"], check_in)
    async with database.session() as session:
        await _forget(session, [row["id"] for row in removed])


async def _forget(session: Session, cleared: Sequence[UUID]) -> None:
    old = "delete from removed_workspaces where id = any(?) and removed_at < now() - make_interval(days => ?)"
    await session.run(Sql.of(old, list(cleared), _REMEMBERED_DAYS))


class Table(NamedTuple):
    """A table whose rows belong to workspaces; what refers to itself is removed in one go."""

    name: str
    key: Sequence[str]
    refers_to_itself: bool


async def tables_of_workspaces(driver: Driver) -> list[Table]:
    """All there are, as the database's catalog knows them, so none is forgotten; who refers to others stands before
    them. Without those whose rows go with the row of their workspace."""
    found = await driver.fetch(
        "select c.oid, c.relname, p.conkey,"
        "  array(select a.attname::text from unnest(p.conkey) with ordinality k (number, place)"
        "   join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number order by k.place) as key,"
        "  array(select f.confrelid from pg_constraint f where f.conrelid = c.oid and f.contype = 'f') as parents"
        " from pg_class c"
        " join pg_constraint p on p.conrelid = c.oid and p.contype = 'p'"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
        " and exists (select from pg_attribute a"
        "  where a.attrelid = c.oid and a.attname = 'workspace_id' and not a.attisdropped)"
        " and not exists (select from pg_constraint f where f.conrelid = c.oid and f.contype = 'f'"
        "  and f.confrelid = 'workspaces'::regclass and f.confdeltype = 'c')"
    )
    tables = {row["oid"]: Table(row["relname"], row["key"], row["oid"] in row["parents"]) for row in found}
    children: dict[int, set[int]] = {oid: set() for oid in tables}
    for row in found:
        for parent in set(row["parents"]) & tables.keys() - {row["oid"]}:
            children[parent].add(row["oid"])
    return [tables[oid] for oid in TopologicalSorter(children).static_order()]


async def _remove_some(tx: Transaction, table: Table, after: Row | None) -> Row | None:
    """Removes the next rows in the order of the primary key; answers the last of them where there are more.

    So none that is gone is passed over again, even while somebody's snapshot keeps it in the table.
    """
    key = [name(column) for column in table.key if column != "workspace_id"]
    ahead = joined(" and ", [Sql.of("workspace_id = ?", tx.workspace_id), *_compared(key, ">", after)])
    columns, here = ", ".join(key), f"from {name(table.name)} where {ahead.text}"
    last = None
    # A table that refers to itself, or holds one row a workspace, goes at once.
    if key and not table.refers_to_itself:
        last = await tx.row(
            Sql(f"select {columns} {here} order by {columns} offset {_AT_ONCE - 1} limit 1", ahead.args)
        )
    some = joined(" and ", [ahead, *_compared(key, "<=", last)])
    await tx.run(Sql(f"delete from {name(table.name)} where {some.text}", some.args))
    return last


def _compared(key: Sequence[str], sign: str, row: Row | None) -> list[Sql]:
    if row is None:
        return []
    return [Sql(f"({', '.join(key)}) {sign} ({', '.join('?' for _ in key)})", tuple(row[column] for column in key))]
