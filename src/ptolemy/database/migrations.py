"""The schema, brought up to date: dated SQL files, each run once, one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import asyncpg

from ptolemy.database import security
from ptolemy.database.transaction import Driver

_LOCK = 7_066_653_949_110_001
"""Any number, the same in every process: the advisory lock that migrations wait for."""


class MigrationProblem(RuntimeError):
    """The database can't be migrated; the message says what to do."""


@dataclass(frozen=True)
class Migration:
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@cache
def migrations() -> Sequence[Migration]:
    """Every migration of this version, in order."""
    folder = resources.files("ptolemy.database") / "schema"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(file.name.removesuffix(".sql"), file.read_text()) for file in files]


async def migrate(dsn: str) -> list[str]:
    """Applies what is missing and answers the names applied; safe to run from many processes at once."""
    driver = await asyncpg.connect(dsn, command_timeout=None)
    try:
        version = driver.get_server_version()
        if version.major < 17:
            raise MigrationProblem(f"PostgreSQL 17 or newer is needed, this server is {version.major}: upgrade it")
        await driver.execute("select pg_advisory_lock($1)", _LOCK)
        return await _migrate(driver)
    finally:
        await driver.close()


async def pending(driver: Driver) -> list[str]:
    """The names of migrations that this version has and the database lacks; looks only."""
    applied = await _applied(driver)
    return [migration.name for migration in migrations() if migration.name not in applied]


async def _migrate(driver: Driver) -> list[str]:
    await driver.execute("create extension if not exists btree_gist")
    await security.become_owner(driver)
    await driver.execute(
        "create table if not exists schema_migrations (name text primary key, sha256 text not null,"
        " applied_at timestamptz not null default now())"
    )
    applied = await _applied(driver)
    known = migrations()
    if unknown := sorted(set(applied) - {migration.name for migration in known}):
        raise MigrationProblem(f"the database was migrated by a newer version ({unknown[-1]}): start that version")
    for migration in known:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise MigrationProblem(
                f"migration {migration.name} has changed since it was applied: reinstall this version"
            )
    missing = [migration for migration in known if migration.name not in applied]
    for migration in missing:
        async with driver.transaction():
            await driver.execute("set local lock_timeout = '10s'")
            await driver.execute(migration.sql)
            await driver.execute(
                "insert into schema_migrations (name, sha256) values ($1, $2)", migration.name, migration.sha256
            )
    if missing:
        await security.secure(driver)
    return [migration.name for migration in missing]


async def _applied(driver: Driver) -> dict[str, str]:
    if await driver.fetchval("select to_regclass('schema_migrations')") is None:
        return {}
    return {row["name"]: row["sha256"] for row in await driver.fetch("select name, sha256 from schema_migrations")}
