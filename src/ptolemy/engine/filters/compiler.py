"""Conditions to SQL. Names come from declarations, values become parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ptolemy.database.sql import Sql, every, some
from ptolemy.database.transaction import Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields import Field, Mention, Reference
from ptolemy.engine.fields.field import ORDER
from ptolemy.engine.filters.condition import MAX_CONDITIONS, MAX_DEPTH, Condition
from ptolemy.engine.filters.custom import CustomField, custom_values
from ptolemy.engine.filters.operators import compare, matches_null
from ptolemy.engine.filters.subjects import Subject, Subjects, find_subjects
from ptolemy.engine.resource import Resource
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.quoting import seen

MAX_IN = 1000


@dataclass(frozen=True)
class Compiled:
    """A filter as SQL on the columns of the resource's table, or of its keys."""

    sql: Sql
    warnings: Sequence[str] = ()
    type_id: UUID | None = None
    """The one type of which every record found must be."""
    custom: Sequence[CustomField] = ()
    """Those that it speaks of."""
    ranged: Sequence[CustomField] = ()
    """Those of which it demands a value, or one of a range, as an index would find it."""


async def compile_filter(
    tx: Transaction,
    resource: type[Resource],
    condition: Condition | None,
    *,
    equal: Mapping[str, Any] | None = None,
    subjects: Subjects | None = None,
) -> Compiled:
    """The condition as SQL; every bad field, operator and value is named in one 422.

    `equal` holds accepted values of columns, which must hold too. `subjects` are given where they are known already.
    """
    equal = equal or {}
    subjects = subjects or await find_subjects(tx, resource, condition.names() if condition else ())
    leaves = [*_checked(subjects, condition), *_equalities(subjects, equal)]
    known, warnings = await _resolved(tx, leaves)
    leaves = [leaf.resolved(known) for leaf in leaves]
    type_id = _only_type(resource, leaves)
    mentioned = "archived_at" in equal or (condition is not None and condition.mentions("archived_at"))
    meant: dict[int | str, Sql] = {}
    for leaf in leaves:
        if leaf.is_special:
            field, value = leaf.subject.field, leaf.value
            meant[leaf.place], more = await field.special(tx, leaf.op, value, archived_mentioned=mentioned)
            warnings += more
        else:
            meant[leaf.place] = _comparison(leaf, type_id)
    parts = [*([_sql(condition, meant)] if condition else []), *(meant[name] for name in equal)]
    custom = {leaf.subject.name: leaf.subject.custom for leaf in leaves if leaf.subject.custom}
    ranged = [custom[leaf.subject.name] for leaf in leaves if leaf.subject.custom and leaf.is_ranged]
    return Compiled(every(parts), warnings, type_id, list(custom.values()), ranged)


@dataclass(frozen=True)
class _Leaf:
    """A condition on one subject, its value accepted as a write would accept it."""

    place: int | str
    subject: Subject
    op: str
    value: Any
    is_demanded: bool
    """Every record found must meet it."""

    @property
    def is_special(self) -> bool:
        return self.op in self.subject.field.special_operators

    @property
    def is_ranged(self) -> bool:
        by_range = self.op in ORDER or self.op in ("eq", "in")
        return self.is_demanded and by_range and not matches_null(self.op, self.value)

    @property
    def target(self) -> type[Resource] | None:
        """What its values name records of."""
        field = self.subject.field
        if isinstance(field, Reference | Mention) and self.op != "is_null" and not self.is_special:
            return field.target
        return None

    def operands(self) -> list[Any]:
        return self.value if isinstance(self.value, list) else [self.value]

    def resolved(self, known: _Known) -> _Leaf:
        """With ids for the keys of a reference; what names nothing is left out, as nothing equals it."""
        if (target := self.target) is None:
            return self
        ids = [known.get((target, key), _NOTHING) if isinstance(key, str) else key for key in self.operands()]
        found = [record for record in ids if record is not _NOTHING]
        if isinstance(self.value, list):
            return _Leaf(self.place, self.subject, self.op, found, self.is_demanded)
        if found:
            return _Leaf(self.place, self.subject, self.op, found[0], self.is_demanded)
        return _Leaf(self.place, self.subject, "not_in" if self.op == "ne" else "in", [], self.is_demanded)


_NOTHING = object()
_Known = dict[tuple[type[Resource], str], UUID]


def _checked(subjects: Subjects, condition: Condition | None) -> list[_Leaf]:
    if condition is None:
        return []
    leaves, errors = [], []
    demanded = {id(each) for each in _demanded(condition)}
    for count, (path, depth, part) in enumerate(condition.walk()):
        if depth > MAX_DEPTH or count > MAX_CONDITIONS:
            message = f"must be at most {MAX_DEPTH} deep and have at most {MAX_CONDITIONS} conditions"
            raise Invalid(FieldError("filter", "filter_too_large", message))
        try:
            if part.field is not None or part.op is not None:
                leaves.append(_leaf(subjects, part, id(part) in demanded))
            elif part.and_ is None and part.or_ is None:
                raise _Fault("", "empty_condition", "must have field, op and value, or and, or or")
        except _Fault as fault:
            errors.append(FieldError(f"{path}{fault.place}", fault.code, str(fault)))
    if errors:
        raise Invalid(*errors)
    return leaves


def _demanded(condition: Condition) -> Iterator[Condition]:
    """The conditions that no `or` makes optional."""
    yield condition
    for part in condition.and_ or ():
        yield from _demanded(part)


class _Fault(ValueError):
    def __init__(self, place: str, code: str, message: str) -> None:
        super().__init__(message)
        self.place, self.code = place, code


def _leaf(subjects: Subjects, part: Condition, is_demanded: bool) -> _Leaf:
    if part.field is None:
        raise _Fault(".field", "required", "is required")
    subject = subjects.find(part.field)
    if subject is None:
        raise _Fault(".field", "unknown_field", subjects.missing(part.field))
    if part.op is None:
        raise _Fault(".op", "required", "is required")
    offered = subject.field.operators | subject.field.special_operators
    if part.op not in offered:
        raise _Fault(".op", "unknown_op", f"{part.op!r} is not one of {', '.join(sorted(offered))} for {subject.name}")
    if "value" not in part.model_fields_set:
        raise _Fault(".value", "required", "is required")
    return _Leaf(id(part), subject, part.op, _operand(subject.field, part.op, part.value), is_demanded)


def _equalities(subjects: Subjects, equal: Mapping[str, Any]) -> Iterator[_Leaf]:
    for name, value in equal.items():
        subject = subjects.find(name)
        assert subject is not None  # noqa: S101 - the models offer columns only
        yield _Leaf(name, subject, "eq", value, True)


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
        if leaf.target is not None:
            keys = {key for key in leaf.operands() if isinstance(key, str)}
            asked.setdefault(leaf.target, set()).update(keys)
    known: _Known = {}
    warnings = []
    for target, keys in asked.items():
        found = await lookup.ids(tx, target, keys)
        known |= {(target, key): record for key, record in found.items()}
        warnings += [f"no {target.called} {seen(key)}: nothing refers to it" for key in sorted(keys - found.keys())]
    return known, warnings


def _only_type(resource: type[Resource], leaves: Sequence[_Leaf]) -> UUID | None:
    """The type of every record found, where the filter names it, or asks for a value that no other type's can have."""
    values = custom_values(resource)
    if values is None:
        return None
    possible: frozenset[UUID] | None = None
    for leaf in leaves:
        if not leaf.is_demanded or matches_null(leaf.op, leaf.value):
            continue
        if leaf.subject.name == values.type.name and leaf.op == "eq":
            types = frozenset([leaf.value])
        elif leaf.subject.custom:
            types = leaf.subject.custom.types
        else:
            continue
        possible = types if possible is None else possible & types
    return next(iter(possible)) if possible is not None and len(possible) == 1 else None


def _sql(condition: Condition, meant: Mapping[int | str, Sql]) -> Sql:
    parts = []
    if comparison := meant.get(id(condition)):
        parts.append(comparison)
    if condition.and_ is not None:
        parts.append(every(_sql(part, meant) for part in condition.and_))
    if condition.or_ is not None:
        parts.append(some(_sql(part, meant) for part in condition.or_))
    return every(parts)


def _comparison(leaf: _Leaf, type_id: UUID | None) -> Sql:
    subject = leaf.subject
    found = compare(subject.sql, leaf.op, leaf.value)
    if subject.custom is None or subject.custom.is_indexed(type_id):
        return found
    # Nothing is known of the values of an expression without an index: the planner would take any comparison for a rare
    # one and sort what it finds. Of this it thinks better, and walks the index of the order until the page is full.
    return Sql(f"coalesce({found.text}, false)", found.args)
