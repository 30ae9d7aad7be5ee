"""Finding records by the keys that users name them with: UUIDs and identifiers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Row, Transaction
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.problems import NotFound

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource

Lock = Literal["", "for key share", "for no key update", "for update"]
Key = str | tuple[str, ...]
"""A UUID, an identifier, or, for a record without one, its natural key: a listing's instrument and market."""

_LOOKS = 3
"""How often to look in both places before a name counts as unknown: a record may be archived or restored in between."""

WRITTEN_BY = "written_by"

_NEVER = datetime.max.replace(tzinfo=UTC)


async def one(tx: Transaction, resource: type[Resource], key: str, *, lock: Lock = "") -> Row:
    """The record named by `key`; an identifier names the active one, else the one archived last.

    A locked one says by which transaction it was `written_by`.
    """
    picked = resource.selected(resource.table, tx.workspace_id)
    written_by = f", {resource.table}.xmin::text::bigint as {WRITTEN_BY}" if lock else ""
    for condition in _ways(resource, key) * _LOOKS:
        wanted = every([Sql.of("workspace_id = ?", tx.workspace_id), condition])
        newest = " order by archived_at desc limit 1" if condition.text.endswith("not null") else ""
        statement = f"select {picked.text}{written_by} from {resource.table} where {wanted.text}{newest} {lock}"
        if row := await tx.row(Sql(statement, (*picked.args, *wanted.args))):
            return row
    raise unknown(resource, key)


def unknown(resource: type[Resource], key: str) -> NotFound:
    """What is raised for a key that names no record, or none that the caller may know of."""
    return NotFound("not_found", f"no {resource.called} {key!r} here")


def _ways(resource: type[Resource], key: str) -> list[Sql]:
    """The conditions to try in turn: each has its own index."""
    if record := as_uuid(key):
        return [Sql.of("id = ?", record)]
    if resource.named_by is None or "\0" in key:
        return []
    named = Sql.of(f"{resource.named_by} = ?", resource.named(key))
    if not resource.lifecycle.archive:
        return [named]
    return [Sql(f"{named.text} and archived_at is {state}", named.args) for state in ("null", "not null")]


async def ids(tx: Transaction, target: type[Resource], keys: Collection[str]) -> dict[str, UUID]:
    """The ids of the records that keys name, by key; those that name none are left out."""
    uuids = {key: record for key in keys if (record := as_uuid(key))}
    named = await _there(tx, target, uuids) if uuids else {}
    # PostgreSQL takes no NUL in text, so no record is named with one.
    missing = {target.named(key): key for key in keys if key not in uuids and "\0" not in key}
    column = target.named_by
    if not missing or column is None:
        return named
    order = f"{column}, archived_at desc nulls first" if target.lifecycle.archive else column
    statement = Sql.of(
        f"select distinct on ({column}) {column}, id from {target.table}"
        f" where workspace_id = ? and {column} = any(?) order by {order}",
        tx.workspace_id,
        list(missing),
    )
    return named | {missing[row[column]]: row["id"] for row in await tx.rows(statement)}


async def _there(tx: Transaction, target: type[Resource], asked: Mapping[str, UUID]) -> dict[str, UUID]:
    statement = Sql.of(
        f"select id from {target.table} where workspace_id = ? and id = any(?)", tx.workspace_id, list(asked.values())
    )
    found = {row["id"] for row in await tx.rows(statement)}
    return {key: record for key, record in asked.items() if record in found}


def told(name: UUID | Key) -> Key:
    """A name as `parents` answers it."""
    if isinstance(name, tuple):
        return name
    return str(name).lower() if as_uuid(str(name)) else str(name)


async def parents(
    tx: Transaction, target: type[Resource], keys: Collection[str], beside: Collection[Key]
) -> dict[Key, Row]:
    """The records named by `keys` and `beside`, by each name that was asked for; held until the transaction ends.

    The lock keeps them from being hard-deleted meanwhile, and lets them be changed. In order of id, as everywhere.
    """
    pairs = [key for key in beside if isinstance(key, tuple)]
    names = {*keys, *(key for key in beside if isinstance(key, str))}
    found: dict[Key, Row] = {}
    if names:
        found |= await _named(tx, target, names)
    if pairs:
        found |= await _by_natural_key(tx, target, pairs)
    return found


async def _named(tx: Transaction, target: type[Resource], names: Collection[str]) -> dict[Key, Row]:
    ids = [record for name in names if (record := as_uuid(name))]
    found: dict[Key, Row] = {}
    if ids:
        found |= {str(row["id"]): row for row in await _held(tx, target, Sql.of("id = any(?)", ids))}
    column = target.named_by
    missing = [name for name in names if not as_uuid(name)] if column else []
    for state in ("null", "not null") * _LOOKS if target.lifecycle.archive else ("",):
        if missing and column:
            archived = f" and archived_at is {state}" if state else ""
            rows = await _held(tx, target, Sql.of(f"{column} = any(?){archived}", missing))
            found |= {row[column]: row for row in _active_last(target, rows)}
            missing = [name for name in missing if name not in found]
    return found


async def _by_natural_key(
    tx: Transaction, target: type[Resource], pairs: Collection[tuple[str, ...]]
) -> dict[Key, Row]:
    references = target.natural_key()
    steps = []
    for position, reference in enumerate(references):
        steps.append(await parents(tx, reference.target, {pair[position] for pair in pairs}, ()))
    asked = {}
    for pair in pairs:
        rows = [step.get(key) for step, key in zip(steps, pair, strict=True)]
        if all(rows):
            asked[tuple(row["id"] for row in rows if row)] = pair
    if not asked:
        return {}
    columns = ", ".join(reference.name for reference in references)
    arrays = ", ".join("?::uuid[]" for _ in references)
    condition = Sql(
        f"({columns}) in (select * from unnest({arrays}))", tuple(list(ids) for ids in zip(*asked, strict=True))
    )
    rows_found = _active_last(target, await _held(tx, target, condition))
    return {asked[tuple(row[reference.name] for reference in references)]: row for row in rows_found}


async def _held(tx: Transaction, target: type[Resource], condition: Sql) -> list[Row]:
    wanted = every([Sql.of("workspace_id = ?", tx.workspace_id), condition])
    return await tx.rows(
        Sql(f"select * from {target.table} where {wanted.text} order by id for key share", wanted.args)
    )


def _active_last(target: type[Resource], rows: list[Row]) -> list[Row]:
    """So that, in a dict by name, the active record wins, then the one archived last."""
    if not target.lifecycle.archive:
        return rows
    return sorted(rows, key=lambda row: row["archived_at"] or _NEVER)
