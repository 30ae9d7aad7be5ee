"""Finding records: a page by filter, sort and cursor, and a count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.cursors import Cursors, invalid_cursor
from ptolemy.engine.filters import Condition, compile_filter
from ptolemy.engine.filters.subjects import ordering_subject, own_subjects
from ptolemy.engine.keyset import Direction, Key, Segment, order_by, segments
from ptolemy.engine.resource import Resource
from ptolemy.kernel.problems import FieldError, Invalid

Archived = Literal["false", "true", "all", "only"]

MAX_LIMIT = 200


@dataclass(frozen=True)
class Query:
    """What a list or a filter asks for. `equal` holds `{field: key or value}` shorthands."""

    filter: Condition | None = None
    equal: Mapping[str, Any] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    archived: Archived = "false"
    sort: Sequence[tuple[str, Direction]] = ()
    limit: int = 50
    after: str | None = None
    where: Sql | None = None
    """A condition of the caller's own."""


@dataclass(frozen=True)
class Page:
    rows: Sequence[Row]
    next_cursor: str | None
    warnings: Sequence[str]


async def page(tx: Transaction, resource: type[Resource], query: Query, cursors: Cursors) -> Page:
    """A page of records, in a total order: ties are broken by the resource's own, nulls come last."""
    limit, warnings = cut_limit(query.limit)
    keys, asked = _keys(resource, query.sort), _asked(tx, resource, query)
    position = None if query.after is None else _position(keys, cursors.read(asked, query.after))
    wanted, more_warnings = await _wanted(tx, resource, query)
    rows: list[Row] = []
    for segment in segments(keys, position):
        rows += await tx.rows(_statement(resource, segment.within(*wanted), limit + 1 - len(rows)))
        if len(rows) > limit:
            break
    cursor = None
    if len(rows) > limit:
        rows = rows[:limit]
        cursor = cursors.write(asked, [_shown(key, rows[-1]) for key in keys])
    return Page(rows, cursor, [*warnings, *more_warnings])


async def count(tx: Transaction, resource: type[Resource], query: Query) -> tuple[int, Sequence[str]]:
    """How many records there are, and warnings."""
    wanted, warnings = await _wanted(tx, resource, query)
    condition = every(wanted)
    number = await tx.value(Sql(f"select count(*) from {resource.table} where {condition.text}", condition.args))
    return int(number), warnings


def cut_limit(asked: int) -> tuple[int, list[str]]:
    """How many records a page may have, and the warning where more were asked for."""
    if asked > MAX_LIMIT:
        return MAX_LIMIT, [f"limit was cut from {asked} to {MAX_LIMIT}"]
    return asked, []


def _keys(resource: type[Resource], sort: Sequence[tuple[str, Direction]]) -> list[Key]:
    known = {name: subject for name, subject in own_subjects(resource).items() if subject.is_sortable}
    keys: dict[str, Key] = {}
    for place, (name, direction) in enumerate(sort):
        if name not in known:
            message = f"{name!r} is not one of {', '.join(known)}"
            raise Invalid(FieldError(f"sort.{place}.field", "unknown_field", message))
        keys.setdefault(name, Key(known[name], direction))
        if name == "id":
            return list(keys.values())
    for column in resource.order:
        keys.setdefault(column, Key(ordering_subject(resource, column), "asc"))
    return list(keys.values())


def _position(keys: Sequence[Key], values: Sequence[Any]) -> list[Any]:
    """What a cursor holds, as the driver takes it."""
    try:
        pairs = zip(keys, values, strict=True)
        return [None if value is None else key.subject.field.accept(value) for key, value in pairs]
    except ValueError:
        raise invalid_cursor() from None  # the sort means something else by now


def _shown(key: Key, row: Row) -> Any:
    stored = row[key.subject.name]
    return None if stored is None else key.subject.field.show(stored)


def _statement(resource: type[Resource], segment: Segment, count: int) -> Sql:
    by = order_by(segment, [key.subject.sql for key in segment.keys])
    return Sql(
        f"select {resource.selected(resource.table)} from {resource.table}"
        f" where {segment.where.text} order by {by} limit {count}",
        segment.where.args,
    )


def _asked(tx: Transaction, resource: type[Resource], query: Query) -> list[Any]:
    """What a cursor is bound to: the workspace and all of the query but the page."""
    condition = query.filter.model_dump(mode="python", by_alias=True, exclude_unset=True) if query.filter else None
    ids = list(query.ids) if query.ids is not None else None
    return [str(tx.workspace_id), resource.table, condition, query.equal, ids, query.archived, query.sort]


async def _wanted(tx: Transaction, resource: type[Resource], query: Query) -> tuple[list[Sql], Sequence[str]]:
    conditions = [Sql.of("workspace_id = ?", tx.workspace_id)]
    parts = [
        Condition.model_validate({"field": name, "op": "eq", "value": value}) for name, value in query.equal.items()
    ]
    # Each by itself, so that an error names the place where the user put it.
    asked = [*([query.filter] if query.filter else []), *parts]
    if resource.lifecycle.archive:
        conditions += _archived(query, mentioned=any(each.mentions("archived_at") for each in asked))
    if query.where is not None:
        conditions.append(query.where)
    if query.ids is not None:
        conditions.append(await resource.among(tx, set(query.ids)))
    compiled = [await compile_filter(tx, resource, each) for each in asked]
    warnings = [warning for each in compiled for warning in each.warnings]
    return [*conditions, *(each.sql for each in compiled)], warnings


def _archived(query: Query, *, mentioned: bool) -> list[Sql]:
    """A filter that speaks of `archived_at` decides for itself."""
    if query.archived == "only":
        return [Sql("archived_at is not null")]
    return [Sql("archived_at is null")] if query.archived == "false" and not mentioned else []
