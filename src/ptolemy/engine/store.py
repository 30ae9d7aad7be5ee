"""Rows into the table of a resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import constraints
from ptolemy.engine.fields.field import Field
from ptolemy.kernel.identifiers import uuid7, uuid7s
from ptolemy.kernel.problems import Problem
from ptolemy.kernel.runs import runs

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource
    from ptolemy.engine.write import Write

Meanwhile = Callable[[Sequence[Row]], None]


async def store(tx: Transaction, resource: Resource, write: Write) -> Row:
    """The stored row; where the database refuses, the user's problem."""
    statement = _insert(tx, resource, write) if write.old is None else _update(tx, resource, write, write.old)
    try:
        row = await tx.row(statement)
    except asyncpg.IntegrityConstraintViolationError as error:
        raise constraints.explained(resource, error) from None
    assert row is not None  # noqa: S101 - `returning *` of one row
    return row


async def insert_each(
    tx: Transaction, resource: Resource, writes: Sequence[Write], meanwhile: Meanwhile = lambda rows: None
) -> list[Row | Problem]:
    """Inserts many in order, in one statement where all ids differ; those that the database refuses come back as
    problems, exactly those."""
    answers: list[Row | Problem] = []
    # Of those that share an id the statement wouldn't tell which goes in.
    for part in runs(writes, lambda write: write.kept.get("id")):
        stored = await insert_new(tx, resource, part, meanwhile)
        answers += [row or await _alone(tx, resource, write) for row, write in zip(stored, part, strict=True)]
    return answers


async def insert_new(
    tx: Transaction, resource: Resource, writes: Sequence[Write], meanwhile: Meanwhile = lambda rows: None
) -> list[Row | None]:
    """Inserts many in one statement, in order; answers what is stored of each, None where another record has its place.

    Writers that insert the same in the same order wait for each other, and never in a circle. `meanwhile` gets the
    rows, as they will come back where they are taken, while the database works.
    """
    if not writes:
        return []
    ids = [write.kept.get("id") or new for write, new in zip(writes, uuid7s(len(writes)), strict=True)]
    columns = {"id": ids, **_columns(writes, resource.fields), **_kept_columns(resource, writes)}
    arrays = ", ".join(f"?::{_array(resource, name)}[]" for name in columns)
    picked = ", ".join(f"coalesce({n}, now())" if n in ("created_at", "updated_at") else n for n in columns)
    statement = Sql(
        f"insert into {resource.table} (workspace_id, {', '.join(columns)})"
        f" select ?::uuid, {picked} from unnest({arrays}) as new ({', '.join(columns)})"
        " on conflict do nothing returning id",
        (tx.workspace_id, *columns.values()),
    )
    # Everything else is known: to have it sent back would cost as much as to send it.
    async with tx.under_way(statement) as inserting:
        nothing: list[Any] = [None] * len(writes)
        rows = _rows(dict.fromkeys(_kept_names(resource), nothing) | columns)
        meanwhile(rows)
    inserted = {row["id"] for row in inserting.result()}
    return [row if row["id"] in inserted else None for row in rows]


async def update_each(tx: Transaction, resource: Resource, writes: Sequence[Write]) -> list[Row | Problem]:
    """Changes many in one statement; where the database refuses one, each goes by itself, and that one is named."""
    if not writes:
        return []
    values = [_changed_values(resource, write) for write in writes]
    # Either all of them return from a backup, with instants of their own, or none.
    names = list(values[0])
    now = "" if "updated_at" in names else " updated_at = now(),"
    ids = [write.old["id"] for write in writes if write.old is not None]
    columns = [ids, *([value[name] for value in values] for name in names)]
    arrays = ", ".join(f"?::{_array(resource, name)}[]" for name in ("id", *names))
    marks = ", ".join(f"{name} = new.{name}" for name in names)
    statement = Sql(
        f"update {resource.table} t set {marks},{now} recorded_at = now()"
        f" from unnest({arrays}) as new (id, {', '.join(names)})"
        " where t.workspace_id = ? and t.id = new.id returning t.*",
        (*columns, tx.workspace_id),
    )
    try:
        async with tx.savepoint():
            stored = {row["id"]: row for row in await tx.rows(statement)}
        return [stored[key] for key in ids]
    except asyncpg.IntegrityConstraintViolationError:
        return [await _alone(tx, resource, write) for write in writes]


async def update_all(tx: Transaction, resource: Resource, writes: Sequence[Write]) -> list[Row]:
    """Changes many locked records in one statement, and answers what is stored of each now."""
    columns = {"id": [write.old["id"] for write in writes if write.old], **_columns(writes, resource.fields)}
    arrays = ", ".join(f"?::{_array(resource, name)}[]" for name in columns)
    changed = [*(name for name, of in resource.fields.items() if not of.fixed), "updated_at", "recorded_at"]
    # Every one conflicts. An update that joins them may read the whole workspace instead: it takes what the planner
    # believes of a table that has grown since; here there is nothing to plan.
    statement = Sql(
        f"insert into {resource.table} (workspace_id, {', '.join(columns)}, updated_at, recorded_at)"
        f" select ?::uuid, new.*, now(), now() from unnest({arrays}) as new"
        " on conflict (workspace_id, id) do update"
        f" set {', '.join(f'{name} = excluded.{name}' for name in changed)}"
        " returning id",
        (tx.workspace_id, *columns.values()),
    )
    if writes:
        await tx.run(statement)
    return _rows(columns)


def _columns(writes: Sequence[Write], fields: Mapping[str, Field[Any]]) -> dict[str, list[Any]]:
    """What is stored of each field, by writes."""
    return {name: [_stored(of, write.new.get(name)) for write in writes] for name, of in fields.items()}


def _kept_columns(resource: Resource, writes: Sequence[Write]) -> dict[str, list[Any]]:
    """The instants that a file carries; none where none does."""
    if not any(write.kept for write in writes):
        return {}
    return {name: [write.kept.get(name) for write in writes] for name in _kept_names(resource)}


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[Row]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


async def _alone(tx: Transaction, resource: Resource, write: Write) -> Row | Problem:
    """Once more by itself: only so the database says which rule it breaks."""
    try:
        async with tx.savepoint():
            return await store(tx, resource, write)
    except Problem as problem:
        return problem


def _insert(tx: Transaction, resource: Resource, write: Write) -> Sql:
    kept = {name: write.kept[name] for name in _kept_names(resource) if write.kept.get(name) is not None}
    values = {
        "workspace_id": tx.workspace_id,
        "id": write.kept.get("id") or uuid7(),
        **{name: _stored(of, write.new.get(name)) for name, of in resource.fields.items()},
        **kept,
    }
    marks = ", ".join("?" for _ in values)
    return Sql(
        f"insert into {resource.table} ({', '.join(values)}) values ({marks}) returning *", tuple(values.values())
    )


def _update(tx: Transaction, resource: Resource, write: Write, old: Row) -> Sql:
    values = _changed_values(resource, write)
    marks = ", ".join(f"{name} = ?" for name in values)
    now = "" if "updated_at" in values else " updated_at = now(),"
    return Sql(
        f"update {resource.table} set {marks},{now} recorded_at = now() where workspace_id = ? and id = ? returning *",
        (*values.values(), tx.workspace_id, old["id"]),
    )


def _changed_values(resource: Resource, write: Write) -> dict[str, Any]:
    values = {name: _stored(of, write.new.get(name)) for name, of in resource.fields.items()}
    if resource.lifecycle.archive:
        values["archived_at"] = write.archived_at
    if write.whole and write.old is not None:
        values |= {name: write.kept.get(name) or write.old[name] for name in ("created_at", "updated_at")}
    return values


def _stored(of: Any, value: Any) -> Any:
    return None if value is None else of.store(value)


def _kept_names(resource: Resource) -> tuple[str, ...]:
    return ("created_at", "updated_at", "archived_at") if resource.lifecycle.archive else ("created_at", "updated_at")


def _array(resource: Resource, name: str) -> str:
    if name == "id":
        return "uuid"
    of = resource.fields.get(name)
    return of.column_type.removesuffix(" collate pg_c_utf8") if of else "timestamptz"
