"""What each operator means in SQL. Nulls are told apart by hand: `is distinct from` would use no index."""

from __future__ import annotations

from typing import Any

from ptolemy.database.sql import Sql

_ORDER = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


def compare(column: str, op: str, value: Any) -> Sql:
    """`column op value`; the column may be an expression. `ne` and `not_in` match nulls too, unless they name null."""
    if op == "is_null":
        return Sql(f"{column} is null" if value else f"{column} is not null")
    if op == "eq":
        return Sql(f"{column} is null") if value is None else Sql.of(f"{column} = ?", value)
    if op == "ne":
        return Sql(f"{column} is not null") if value is None else Sql.of(f"({column} is null or {column} <> ?)", value)
    if op == "in":
        return _member(column, value)
    if op == "not_in":
        return _no_member(column, value)
    if op == "like":
        return Sql.of(f"strpos(lower({column}), lower(? collate pg_c_utf8)) > 0", value)
    return Sql.of(f"{column} {_ORDER[op]} ?", value)


def matches_null(op: str, value: Any) -> bool:
    """Whether `op` finds records that have no value."""
    if op == "is_null":
        return bool(value)
    if op in ("in", "not_in"):
        return (None in value) == (op == "in")
    return (value is None) == (op == "eq") if op in ("eq", "ne") else False


def _member(column: str, values: list[Any]) -> Sql:
    some = Sql.of(f"{column} = any(?)", [value for value in values if value is not None])
    return Sql(f"({some.text} or {column} is null)", some.args) if None in values else some


def _no_member(column: str, values: list[Any]) -> Sql:
    named = [value for value in values if value is not None]
    nulls = "is not null and" if None in values else "is null or"
    return Sql.of(f"({column} {nulls} {column} <> all(?))", named)
