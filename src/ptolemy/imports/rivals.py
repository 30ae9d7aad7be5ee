"""Who stands in the way of a row of a backup: the record that holds what the row would be alone in having."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Reference
from ptolemy.engine.resource import Resource
from ptolemy.imports.row_errors import RowError
from ptolemy.imports.rows import Taken

Key = tuple[Hashable, ...]


async def with_rivals(
    tx: Transaction, resource: Resource, refused: Sequence[tuple[Taken, Sequence[RowError]]]
) -> list[RowError]:
    """The errors of rows of a backup, each with the record of the backup, and the one of the workspace in its way."""
    conflicts = [taken for taken, errors in refused if any(error.code == "conflict" for error in errors)]
    rivals = await _rivals(tx, resource, conflicts) if conflicts else {}
    found = []
    for taken, errors in refused:
        own = f" ({taken.kept['id']} in the backup)" if taken.is_recorded else ""
        for error in errors:
            rival = rivals.get(id(taken)) if error.code == "conflict" else None
            there = f": {rival}" if rival else ""
            found.append(error._replace(message=f"{error.message}{there}{own}"))
    return found


async def _rivals(tx: Transaction, resource: Resource, rows: Sequence[Taken]) -> dict[int, Any]:
    """By row, the id of the record in its way, where it is still there."""
    if resource.no_overlap:
        return await _overlapping(tx, resource, rows)
    found: dict[int, Any] = {}
    for rule in resource.unique:
        keys = {id(taken): _key(taken, rule.names) for taken in rows}
        holders = await _holders(tx, resource, rule.names, {key for key in keys.values() if key})
        found |= {row: holders[key] for row, key in keys.items() if key is not None and key in holders}
    return found


def _key(taken: Taken, names: Sequence[str]) -> Key | None:
    key = tuple(taken.sent.get(name) for name in names)
    return None if None in key else key


async def _holders(tx: Transaction, resource: Resource, names: Sequence[str], keys: set[Key]) -> Mapping[Key, Any]:
    if not keys:
        return {}
    columns = [f"{name}::text" if isinstance(resource.fields[name], Reference) else name for name in names]
    arrays = ", ".join(f"?::{_kind(resource, name)}[]" for name in names)
    active = " and archived_at is null" if resource.lifecycle.archive else ""
    statement = Sql(
        f"select id, {', '.join(columns)} from {resource.table}"
        f" where workspace_id = ?{active} and ({', '.join(names)}) in (select * from unnest({arrays}))",
        (tx.workspace_id, *(list(column) for column in zip(*keys, strict=True))),
    )
    return {tuple(row[name] for name in names): row["id"] for row in await tx.rows(statement)}


async def _overlapping(tx: Transaction, resource: Resource, rows: Sequence[Taken]) -> dict[int, Any]:
    period = resource.no_overlap
    assert period is not None  # noqa: S101 - the caller looked
    of, start, end = period.of.name, period.start.name, period.end.name
    statement = Sql.of(
        "select period.place, other.id"
        " from unnest(?::bigint[], ?::uuid[], ?::uuid[], ?::timestamptz[], ?::timestamptz[])"
        " as period (place, own, whose, starts, ends)"
        f" join {resource.table} other on other.workspace_id = ? and other.{of} = period.whose"
        f" and other.id <> period.own and (other.{end} is null or other.{end} > period.starts)"
        f" and (period.ends is null or other.{start} < period.ends)",
        [id(taken) for taken in rows],
        [taken.kept.get("id") for taken in rows],
        [taken.sent.get(of) for taken in rows],
        [taken.sent.get(start) for taken in rows],
        [taken.sent.get(end) for taken in rows],
        tx.workspace_id,
    )
    return {row["place"]: row["id"] for row in await tx.rows(statement)}


def _kind(resource: Resource, name: str) -> str:
    return resource.fields[name].column_type.removesuffix(" collate pg_c_utf8")
