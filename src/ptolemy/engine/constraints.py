"""The database keeps the rules that races could break; here its refusal becomes the user's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import asyncpg

from ptolemy.engine.tables import overlap_name, unique_name
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, Problem

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource

_NAME = re.compile(r'constraint "([^"]+?)(?:_\d{6,})?"')
"""On Citus the name stands in the message only, with the number of the shard behind it; so it is read there always."""


def explained(resource: Resource, error: asyncpg.PostgresError) -> Problem:
    found = _NAME.search(str(error))
    constraint = found[1] if found else ""
    called = resource.called
    for rule in resource.unique:
        if constraint == unique_name(type(resource), rule):
            whose = f"an active {called}" if resource.lifecycle.archive else resource.a_called
            detail = f"{whose} has the same {' and '.join(rule.names)}"
            return Conflict("duplicate", detail, tuple(FieldError(name, "duplicate", detail) for name in rule.names))
    if resource.no_overlap and constraint == overlap_name(type(resource)):
        period = resource.no_overlap.start.name
        detail = f"the period overlaps another {called} of the same {resource.no_overlap.of.target.called}"
        return Conflict("overlap", detail, (FieldError(period, "overlap", detail),))
    if constraint == f"{resource.table}_pkey":
        detail = f"{resource.a_called} with this id exists already"
        return Conflict("duplicate", detail, (FieldError("id", "duplicate", detail),))
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        # The parents are held by lock, so only a delete gets here: another transaction has just added a dependent.
        return Conflict("blocked_by_dependents", f"other records use this {called}")
    return Invalid(FieldError(constraint or "body", "invalid", "the database refuses this value"))
