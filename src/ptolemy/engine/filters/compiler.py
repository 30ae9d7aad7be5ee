"""Conditions to SQL. Names come from declarations, values become parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ptolemy.database.sql import Sql, every, some
from ptolemy.database.transaction import Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields import Field, Reference
from ptolemy.engine.filters.condition import MAX_CONDITIONS, MAX_DEPTH, Condition
from ptolemy.engine.filters.operators import compare
from ptolemy.engine.resource import Resource, columns
from ptolemy.kernel.problems import FieldError, Invalid

MAX_IN = 1000


@dataclass(frozen=True)
class Compiled:
    sql: Sql
    warnings: Sequence[str] = ()


async def compile_filter(tx: Transaction, resource: type[Resource], condition: Condition) -> Compiled:
    """The condition as SQL; every bad field, operator and value is named in one 422."""
    leaves = _checked(resource, condition)
    known, warnings = await _resolved(tx, leaves)
    meant = {}
    for leaf in leaves:
        if leaf.is_special:
            mentioned = condition.mentions("archived_at")
            meant[id(leaf.condition)], more = await leaf.field.special(
                tx, leaf.op, leaf.value, archived_mentioned=mentioned
            )
            warnings += more
        else:
            meant[id(leaf.condition)] = _comparison(leaf, known)
    return Compiled(_sql(condition, meant), warnings)


@dataclass(frozen=True)
class _Leaf:
    """A condition on one field, its value accepted as a write would accept it."""

    condition: Condition
    field: Field[Any]
    op: str
    value: Any

    @property
    def is_special(self) -> bool:
        return self.op in self.field.special_operators

    def operands(self) -> list[Any]:
        return self.value if isinstance(self.value, list) else [self.value]


_Known = dict[tuple[type[Resource], str], UUID]


def _checked(resource: type[Resource], condition: Condition) -> list[_Leaf]:
    leaves, errors = [], []
    for count, (path, depth, part) in enumerate(condition.walk(), 1):
        if depth > MAX_DEPTH or count > MAX_CONDITIONS:
            message = f"must be at most {MAX_DEPTH} deep and have at most {MAX_CONDITIONS} conditions"
            raise Invalid(FieldError("filter", "filter_too_large", message))
        try:
            if part.field is not None or part.op is not None:
                leaves.append(_leaf(resource, part))
            elif part.and_ is None and part.or_ is None:
                raise _Fault("", "empty_condition", "must have field, op and value, or and, or or")
        except _Fault as fault:
            errors.append(FieldError(f"{path}{fault.place}", fault.code, str(fault)))
    if errors:
        raise Invalid(*errors)
    return leaves


class _Fault(ValueError):
    def __init__(self, place: str, code: str, message: str) -> None:
        super().__init__(message)
        self.place, self.code = place, code


def _leaf(resource: type[Resource], part: Condition) -> _Leaf:
    known = {name: of for name, of in columns(resource).items() if of.operators | of.special_operators}
    field = known.get(part.field or "")
    if field is None:
        raise _Fault(".field", "unknown_field", f"{part.field!r} is not one of {', '.join(known)}")
    offered = field.operators | field.special_operators
    if part.op not in offered:
        raise _Fault(".op", "unknown_op", f"{part.op!r} is not one of {', '.join(sorted(offered))} for {field.name}")
    if "value" not in part.model_fields_set:
        raise _Fault(".value", "required", "is required")
    return _Leaf(part, field, part.op, _operand(field, part.op, part.value))


def _operand(field: Field[Any], op: str, value: Any) -> Any:
    if op == "is_null":
        if value not in (True, False, "true", "false"):
            raise _Fault(".value", "invalid_boolean", "must be true or false")
        return value in (True, "true")
    if op in ("in", "not_in"):
        if not isinstance(value, list) or len(value) > MAX_IN:
            raise _Fault(".value", "invalid_list", f"must be a list of at most {MAX_IN} values")
        return [_accepted(field, item) for item in value]
    if value is None and op not in ("eq", "ne"):
        raise _Fault(".value", "required", f"must not be null for {op}")
    if op in field.special_operators:
        return _accepted(field, value, op)
    if op == "like" and (not isinstance(value, str) or "\0" in value):
        raise _Fault(".value", field.fault, "must be text")
    return value if op == "like" else _accepted(field, value)


def _accepted(field: Field[Any], value: Any, special: str = "") -> Any:
    try:
        if special:
            return field.accept_special(special, value)
        return None if value is None else field.accept(value)
    except ValueError as reason:
        raise _Fault(".value", field.fault, str(reason)) from None


async def _resolved(tx: Transaction, leaves: Sequence[_Leaf]) -> tuple[_Known, list[str]]:
    """The records that references in the filter name, one query a target."""
    asked: dict[type[Resource], set[str]] = {}
    for leaf in leaves:
        if isinstance(leaf.field, Reference) and leaf.op != "is_null" and not leaf.is_special:
            asked.setdefault(leaf.field.target, set()).update(key for key in leaf.operands() if key is not None)
    known: _Known = {}
    warnings = []
    for target, keys in asked.items():
        found = await lookup.ids(tx, target, keys)
        known |= {(target, key): record for key, record in found.items()}
        warnings += [
            f"no {target.called} {key!r}: the condition matches nothing" for key in sorted(keys - found.keys())
        ]
    return known, warnings


def _sql(condition: Condition, meant: dict[int, Sql]) -> Sql:
    parts = []
    if comparison := meant.get(id(condition)):
        parts.append(comparison)
    if condition.and_ is not None:
        parts.append(every(_sql(part, meant) for part in condition.and_))
    if condition.or_ is not None:
        parts.append(some(_sql(part, meant) for part in condition.or_))
    return every(parts)


def _comparison(leaf: _Leaf, known: _Known) -> Sql:
    field, value = leaf.field, leaf.value
    if isinstance(field, Reference) and leaf.op != "is_null":
        if leaf.op in ("eq", "ne") and value is not None and (field.target, value) not in known:
            return Sql("true" if leaf.op == "ne" else "false")
        found = [None if key is None else known.get((field.target, key)) for key in leaf.operands()]
        named = [record for key, record in zip(leaf.operands(), found, strict=True) if key is None or record]
        value = named if isinstance(value, list) else found[0]
    return compare(field.name, leaf.op, value)
