"""The operator's file of plans (TOML), and how the database comes to know of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Session
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.json import LARGEST_INTEGER
from ptolemy.plans import item_quota
from ptolemy.plans.plan import DEFAULTS, Plan
from ptolemy.settings import SettingsProblem

UNLIMITED_WORD = "unlimited"

_SWITCHES = frozenset({"item_overage", "call_overage"})
_KEYS = tuple(each.name for each in fields(Plan))


def read_plans(path: Path | None) -> Mapping[str, Plan]:
    """The plans of the file; what it doesn't say is as by default. Raises `SettingsProblem` for what it can't mean."""
    if path is None:
        return DEFAULTS
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _problem(path, f"can't be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _problem(path, f"is not TOML: {error}") from None
    if unknown := sorted(said.keys() - DEFAULTS.keys()):
        raise _problem(path, f"there is no plan {unknown[0]!r}, there are {', '.join(DEFAULTS)}")
    return {name: _plan(path, name, plan, said.get(name, {})) for name, plan in DEFAULTS.items()}


def _plan(path: Path, name: str, plan: Plan, said: Any) -> Plan:
    if not isinstance(said, dict):
        raise _problem(path, f"{name} must be a table, like [{name}]")
    if unknown := sorted(said.keys() - set(_KEYS)):
        raise _problem(path, f"{name} has no {unknown[0]!r}, it has {', '.join(_KEYS)}")
    values: dict[str, Any] = {key: _value(path, name, key, value) for key, value in said.items()}
    return replace(plan, **values)


def _value(path: Path, name: str, key: str, value: Any) -> int | bool | None:
    if key in _SWITCHES:
        if isinstance(value, bool):
            return value
        raise _problem(path, f"{name}.{key} must be true or false, got {value!r}")
    if value == UNLIMITED_WORD:
        return None
    least = 1 if key == "events_days" else 0
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST_INTEGER:
        return value
    raise _problem(path, f'{name}.{key} must be a whole number of {least} or more, or "unlimited", got {value!r}')


def _problem(path: Path, reason: str) -> SettingsProblem:
    return SettingsProblem(f"PTOLEMY_PLANS_FILE {path}: {reason}")


async def configure(database: Database, plans: Mapping[str, Plan]) -> None:
    """Makes these the plans of the database, and gives their numbers to the workspaces that are on them.

    Where they are so already it costs one statement. A start that was cut short is made up for by the next one.
    """
    async with database.session() as session:
        rows = await session.rows(Sql("select * from plans"))
        stored = {row["name"]: Plan.of(row) for row in rows}
        for name, plan in sorted(plans.items()):
            if stored.get(name) != plan:
                await _store(session, name, plan)
        unapplied = {row["name"] for row in rows if not row["applied"]} | {
            name for name, plan in plans.items() if stored.get(name) != plan
        }
    if not unapplied:
        return
    async with database.session() as session:
        workspaces = await _on(session, unapplied)
    for workspace in workspaces:
        async with database.transaction(Caller(workspace, SYSTEM)) as tx:
            await item_quota.assign(tx)
        await item_quota.count_up(database, workspace, patience_seconds=1)
    async with database.session() as session:
        await session.run(Sql.of("update plans set applied = true where name = any(?)", sorted(unapplied)))


async def _store(session: Session, name: str, plan: Plan) -> None:
    values = asdict(plan)
    marks = ", ".join(f"{key} = ?" for key in values)
    await session.run(Sql(f"update plans set {marks}, applied = false where name = ?", (*values.values(), name)))


async def _on(session: Session, plans: set[str]) -> list[UUID]:
    statement = Sql.of("select id from workspaces where plan = any(?) order by id", sorted(plans))
    return [row["id"] for row in await session.rows(statement)]
