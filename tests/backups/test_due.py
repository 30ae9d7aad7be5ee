"""However many processes look at once, a policy that is due runs once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ptolemy.backups.due import begin_due
from ptolemy.backups.health import health, tell_overdue
from ptolemy.backups.policies import BackupPolicies
from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.engine import write
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7

LATER = datetime.now(UTC) + timedelta(days=3)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def caller(database: Database, tmp_path: Path) -> Caller:
    """The system in a workspace with the daily policies one and two."""
    caller = Caller(uuid7(), SYSTEM)
    async with database.session() as session:
        slug = caller.workspace_id.hex
        await session.run(
            Sql.of("insert into workspaces (id, slug, name) values (?, ?, 'A')", caller.workspace_id, slug)
        )
    at_first = Surroundings([tmp_path])
    async with database.transaction(caller) as tx:
        for name in ("one", "two"):
            sent = {"name": name, "schedule": "0 2 * * *", "destination": tmp_path.as_uri()}
            await write.create(tx, BackupPolicies(at_first), sent)
    return caller


async def test_many_that_look_at_once_begin_one_run(database: Database, caller: Caller, tmp_path: Path) -> None:
    later = Surroundings([tmp_path], now=lambda: LATER)

    async def look() -> int:
        async with database.transaction(caller) as tx:
            return await begin_due(tx, later)

    begun = await asyncio.gather(*(look() for _ in range(8)))
    assert sum(begun) == 2
    async with database.transaction(caller) as tx:
        statement = "select count(*), count(distinct policy_id) as policies from backups where workspace_id = ?"
        row = await tx.row(Sql.of(statement, tx.workspace_id))
    assert row is not None
    assert (row["count"], row["policies"]) == (2, 2)
    # While those go on, no turn begins another.
    even_later = Surroundings([tmp_path], now=lambda: LATER + timedelta(days=9))
    async with database.transaction(caller) as tx:
        assert await begin_due(tx, even_later) == 0


async def test_a_policy_whose_time_zone_is_gone_keeps_no_other_from_running_and_is_told(
    database: Database, caller: Caller, tmp_path: Path
) -> None:
    later = Surroundings([tmp_path], now=lambda: LATER)
    async with database.transaction(caller) as tx:
        gone = "update backup_policies set timezone = 'Europe/Atlantis' where workspace_id = ? and name = 'one'"
        await tx.run(Sql.of(gone, tx.workspace_id))
        assert await begin_due(tx, later) == 1
        run = Sql.of("select policy_name from backups where workspace_id = ?", tx.workspace_id)
        assert await tx.value(run) == "two"
        await tell_overdue(tx, LATER)
        told = Sql.of(
            "select resource_identifier from events where workspace_id = ? and event_type = 'backup.overdue'",
            tx.workspace_id,
        )
        assert "one" in [row["resource_identifier"] for row in await tx.rows(told)]
        assert {each.policy_name: each.period for each in await health(tx, LATER)} == {
            "one": None,
            "two": timedelta(days=1),
        }
