"""Databases on a Citus cluster, their tenant tables distributed as the documentation says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest

from ptolemy.database.embedded.locks import alone
from ptolemy.database.migrations import migrate
from tests.docs.pages import ROOT, Page
from tests.house import execute, finished, quick_folder

CITUS = os.environ.get("PTOLEMY_TEST_CITUS")
"""The address of a database with Citus at its coordinator, whose login may make databases on every node."""

_BEHIND = "select nodename || ':' || nodeport as host from pg_dist_node where groupid > 0 order by nodeid"
_SHARDS = 4


@contextmanager
def citus_database() -> Iterator[str]:
    """The address of a new database, the same on every node."""
    if CITUS is None:
        pytest.skip("needs a Citus cluster: PTOLEMY_TEST_CITUS=postgresql://… of its coordinator")
    name = f"test_{uuid4().hex[:12]}"
    nodes = [CITUS, *workers(CITUS)]
    dsn = _with(CITUS, database=name)
    try:
        # One at a time: all the databases of a server share its template and its roles.
        with alone(quick_folder() / "ptolemy-tests-citus.lock"):
            for node in nodes:
                execute(node, f"create database {name}")
            _make_cluster(dsn, [_with(worker, database=name) for worker in nodes[1:]])
            finished(migrate(dsn))
            execute(dsn, distribution())
        yield dsn
    finally:
        for node in nodes:
            execute(node, f"drop database if exists {name} with (force)")


def on_one_node(dsn: str) -> str:
    """The address for a product all of whose statements ask the node of their workspace alone: others fail."""
    # A plan for any parameters counts as one for several nodes, even if Citus then takes another.
    return f"{dsn}?citus.multi_task_query_log_level=error&plan_cache_mode=force_custom_plan"


def workers(dsn: str) -> list[str]:
    """The addresses of the same database on the other nodes; none where it isn't on Citus."""
    if not finished(_rows(dsn, "select from pg_extension where extname = 'citus'")):
        return []
    return [_with(dsn, host=row["host"]) for row in finished(_rows(dsn, _BEHIND))]


def _make_cluster(dsn: str, behind: Sequence[str]) -> None:
    for node in [dsn, *behind]:
        execute(node, "create extension citus", "create extension btree_gist")
    coordinator, name = urlsplit(dsn), urlsplit(dsn).path[1:]
    # Few, for the time that it takes to make them.
    execute(dsn, f"alter database {name} set citus.shard_count = {_SHARDS}")
    execute(dsn, f"select citus_set_coordinator_host('{coordinator.hostname}', {coordinator.port or 5432})")
    for worker in map(urlsplit, behind):
        execute(dsn, f"select citus_add_node('{worker.hostname}', {worker.port})")


async def half_committed(dsn: str, workspace_id: UUID, event: Mapping[str, Any]) -> tuple[str, str]:
    """An event whose commit has ended on the coordinator; its worker, and what has to be told there for the rest."""
    coordinator = await asyncpg.connect(dsn)
    shard = await coordinator.fetchrow(
        "select s.shardid, n.groupid, n.nodename || ':' || n.nodeport as host"
        " from (select get_shard_id_for_distribution_column('events', $1::text) as shardid) s"
        " join pg_dist_placement p on p.shardid = s.shardid join pg_dist_node n on n.groupid = p.groupid",
        str(workspace_id),
    )
    worker = await asyncpg.connect(_with(dsn, host=shard["host"]))
    gid = f"citus_0_{coordinator.get_server_pid()}_{uuid4().int % 10**9}_0"
    try:
        async with coordinator.transaction():
            xid = await coordinator.fetchval("select pg_current_xact_id()")
            note = "insert into pg_dist_transaction (groupid, gid) values ($1, $2)"
            await coordinator.execute(note, shard["groupid"], gid)
            row = {"workspace_id": workspace_id, "xid": xid, "epoch": 1, **event}
            values = ", ".join(f"${place}" for place in range(1, len(row) + 1))
            await worker.execute("begin")
            table = f"events_{shard['shardid']}"
            await worker.execute(f"insert into {table} ({', '.join(row)}) values ({values})", *row.values())
            await worker.execute(f"prepare transaction '{gid}'")
    finally:
        await worker.close()
        await coordinator.close()
    return _with(dsn, host=shard["host"]), f"commit prepared '{gid}'"


def distribution() -> str:
    """The statements that the documentation gives."""
    page = Page(ROOT / "docs/operate/citus.md")
    [block] = [block.text for block in page.blocks if "create_distributed_table" in block.text]
    return block


def _with(dsn: str, *, host: str | None = None, database: str | None = None) -> str:
    parts = urlsplit(dsn)
    netloc = f"{parts.netloc.rpartition('@')[0]}@{host}" if host else parts.netloc
    return parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path).geturl()


async def _rows(dsn: str, statement: str) -> list[asyncpg.Record]:
    driver = await asyncpg.connect(dsn)
    try:
        return list(await driver.fetch(statement))
    finally:
        await driver.close()
