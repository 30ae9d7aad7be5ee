"""Finding records: a page by filter, sort and cursor, and a count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import custom_field_indexes
from ptolemy.engine.cursors import Cursors, invalid_cursor
from ptolemy.engine.filters import Condition, compile_filter
from ptolemy.engine.filters.subjects import Subjects, find_subjects, ordering_subject
from ptolemy.engine.keyset import Direction, Key, segments
from ptolemy.engine.resource import Resource
from ptolemy.engine.selection import Selection, Wanted
from ptolemy.engine.tables import words
from ptolemy.kernel.problems import FieldError, Invalid

Archived = Literal["false", "true", "all", "only"]

MAX_LIMIT = 200
MAX_SORT = 10


@dataclass(frozen=True)
class Query:
    """What a list or a filter asks for. `equal` holds `{field: accepted value}` shorthands, `q` words to search for."""

    filter: Condition | None = None
    equal: Mapping[str, Any] = field(default_factory=dict)
    ids: Sequence[str] | None = None
    q: str | None = None
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
    asked = _asked(tx, resource, query)
    subjects = await _subjects(tx, resource, query)
    keys = _keys(resource, subjects, query.sort)
    position = None if query.after is None else _position(keys, cursors.read(asked, query.after))
    wanted = await _wanted(tx, resource, subjects, query)
    selection = Selection(tx.workspace_id, resource, wanted, keys)
    rows: list[Row] = []
    for segment in segments(keys, position):
        rows += await tx.rows(selection.of(segment, limit + 1 - len(rows)))
        if len(rows) > limit:
            break
    cursor = None
    if len(rows) > limit:
        rows = rows[:limit]
        cursor = cursors.write(asked, selection.position(rows[-1]))
    await custom_field_indexes.note_use(tx, resource, selection.helpful_indexes())
    return Page(rows, cursor, [*warnings, *subjects.warnings(), *wanted.compiled.warnings])


async def count(tx: Transaction, resource: type[Resource], query: Query) -> tuple[int, Sequence[str]]:
    """How many records there are, and warnings."""
    subjects = await _subjects(tx, resource, query)
    wanted = await _wanted(tx, resource, subjects, query)
    selection = Selection(tx.workspace_id, resource, wanted, ())
    number = await tx.value(selection.count())
    await custom_field_indexes.note_use(tx, resource, selection.helpful_indexes())
    return int(number), [*subjects.warnings(), *wanted.compiled.warnings]


def cut_limit(asked: int) -> tuple[int, list[str]]:
    """How many records a page may have, and the warning where more were asked for."""
    if asked > MAX_LIMIT:
        return MAX_LIMIT, [f"limit was cut from {asked} to {MAX_LIMIT}"]
    return asked, []


async def _subjects(tx: Transaction, resource: type[Resource], query: Query) -> Subjects:
    names = {name for name, _ in query.sort} | (query.filter.names() if query.filter else set())
    return await find_subjects(tx, resource, names)


def _keys(resource: type[Resource], subjects: Subjects, sort: Sequence[tuple[str, Direction]]) -> list[Key]:
    keys: dict[str, Key] = {}
    if len(sort) > MAX_SORT:
        raise Invalid(FieldError("sort", "invalid_length", f"must have at most {MAX_SORT} keys"))
    for place, (name, direction) in enumerate(sort):
        subject = subjects.find(name)
        if subject is None or not subject.is_sortable:
            message = subjects.missing(name, sortable=True)
            raise Invalid(FieldError(f"sort.{place}.field", "unknown_field", message))
        keys.setdefault(name, Key(subject, direction))
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


def _asked(tx: Transaction, resource: type[Resource], query: Query) -> list[Any]:
    """What a cursor is bound to: the workspace and all of the query but the page."""
    condition = query.filter.model_dump(mode="python", by_alias=True, exclude_unset=True) if query.filter else None
    ids = list(query.ids) if query.ids is not None else None
    sort = [list(key) for key in query.sort]
    return [str(tx.workspace_id), resource.table, condition, query.equal, ids, query.q, query.archived, sort]


async def _wanted(tx: Transaction, resource: type[Resource], subjects: Subjects, query: Query) -> Wanted:
    compiled = await compile_filter(tx, resource, query.filter, equal=query.equal, subjects=subjects)
    conditions = [Sql.of("workspace_id = ?", tx.workspace_id)]
    if resource.lifecycle.archive:
        mentioned = "archived_at" in query.equal or (query.filter is not None and query.filter.mentions("archived_at"))
        conditions += _archived(query, mentioned=mentioned)
    if query.where is not None:
        conditions.append(query.where)
    if query.ids is not None:
        conditions.append(await resource.among(tx, set(query.ids)))
    searched = None
    if query.q and not query.q.isspace():
        searched = Sql.of(f"{words(resource)} @@ search_query(?, ?)", tx.workspace_id, query.q)
    return Wanted([*conditions, compiled.sql], compiled, searched)


def _archived(query: Query, *, mentioned: bool) -> list[Sql]:
    """A filter that speaks of `archived_at` decides for itself."""
    if query.archived == "only":
        return [Sql("archived_at is not null")]
    return [Sql("archived_at is null")] if query.archived == "false" and not mentioned else []
