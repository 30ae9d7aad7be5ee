"""Finding records: a page by filter, sort and cursor, and a count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ptolemy.database.sql import Sql, every, some
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.cursors import Cursors
from ptolemy.engine.fields import Field
from ptolemy.engine.filters import Condition, compile_filter
from ptolemy.engine.resource import Resource, columns
from ptolemy.kernel.problems import FieldError, Invalid

Archived = Literal["false", "true", "all", "only"]
Direction = Literal["asc", "desc"]

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


@dataclass(frozen=True)
class Page:
    rows: Sequence[Row]
    next_cursor: str | None
    warnings: Sequence[str]


async def page(tx: Transaction, resource: type[Resource], query: Query, cursors: Cursors) -> Page:
    """A page of records, in a total order: ties are broken by id, nulls come last."""
    limit, warnings = cut_limit(query.limit)
    order = _order(resource, query.sort)
    asked = _asked(tx, resource, query)
    wanted, more_warnings = await _wanted(tx, resource, query)
    if query.after is not None:
        wanted.append(_beyond(order, *cursors.read(asked, query.after)))
    condition = every(wanted)
    by = ", ".join(
        f"{key.name} {direction} nulls last" if not key.required else f"{key.name} {direction}"
        for key, direction in order
    )
    statement = Sql(
        f"select {resource.selected(resource.table)} from {resource.table}"
        f" where {condition.text} order by {by} limit {limit + 1}",
        condition.args,
    )
    rows = await tx.rows(statement)
    cursor = None
    if len(rows) > limit:
        rows = rows[:limit]
        last = rows[-1]
        values = [None if last[key.name] is None else key.show(last[key.name]) for key, _ in order[:-1]]
        cursor = cursors.write(asked, values, last["id"])
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


def _order(resource: type[Resource], sort: Sequence[tuple[str, Direction]]) -> list[tuple[Field[Any], Direction]]:
    known = {name: of for name, of in columns(resource).items() if "lt" in of.operators or "eq" in of.operators}
    order: list[tuple[Field[Any], Direction]] = []
    for position, (name, direction) in enumerate(sort):
        if name not in known:
            message = f"{name!r} is not one of {', '.join(known)}"
            raise Invalid(FieldError(f"sort.{position}.field", "unknown_field", message))
        if name not in (key.name for key, _ in order):
            order.append((known[name], direction))
    if "id" in (key.name for key, _ in order):
        return order[: [key.name for key, _ in order].index("id") + 1]
    return [*order, (known["id"], "asc")]


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
    if query.ids is not None:
        found = await lookup.ids(tx, resource, set(query.ids))
        conditions.append(Sql.of("id = any(?)", list(found.values())))
    compiled = [await compile_filter(tx, resource, each) for each in asked]
    warnings = [warning for each in compiled for warning in each.warnings]
    return [*conditions, *(each.sql for each in compiled)], warnings


def _archived(query: Query, *, mentioned: bool) -> list[Sql]:
    """A filter that speaks of `archived_at` decides for itself."""
    if query.archived == "only":
        return [Sql("archived_at is not null")]
    return [Sql("archived_at is null")] if query.archived == "false" and not mentioned else []


def _beyond(order: Sequence[tuple[Field[Any], Direction]], values: Sequence[Any], last: Any) -> Sql:
    """Behind a row, in this order: one alternative for each key that may differ first."""
    position = [
        *(None if value is None else key.accept(value) for (key, _), value in zip(order, values, strict=False)),
        last,
    ]
    alternatives, equal = [], list[Sql]()
    for (key, direction), value in zip(order, position, strict=True):
        if further := _further(key, direction, value):
            alternatives.append(every([*equal, further]))
        equal.append(Sql(f"{key.name} is null") if value is None else Sql.of(f"{key.name} = ?", value))
    return some(alternatives)


def _further(key: Field[Any], direction: Direction, value: Any) -> Sql | None:
    if value is None:
        return None  # nulls come last: only ties are left behind one
    beyond = Sql.of(f"{key.name} {'<' if direction == 'desc' else '>'} ?", value)
    return beyond if key.required else Sql(f"({beyond.text} or {key.name} is null)", beyond.args)
