"""Which records an export wants."""

from __future__ import annotations

from typing import NamedTuple

from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Transaction
from ptolemy.engine.filters import Condition, compile_filter
from ptolemy.engine.resource import Resource


class Wanted(NamedTuple):
    """A condition on the table of the resource, `workspace_id` included, and what its user should know of it."""

    sql: Sql
    warnings: list[str]


async def wanted_rows(
    tx: Transaction, resource: type[Resource], condition: Condition | None, *, include_archived: bool
) -> Wanted:
    """Raises `Invalid` for a bad filter. One that speaks of `archived_at` decides by itself on archived records."""
    conditions = [Sql.of("workspace_id = ?", tx.workspace_id)]
    mentioned = condition is not None and condition.mentions("archived_at")
    if resource.lifecycle.archive and not include_archived and not mentioned:
        conditions.append(Sql("archived_at is null"))
    if condition is None:
        return Wanted(every(conditions), [])
    compiled = await compile_filter(tx, resource, condition)
    return Wanted(every([*conditions, compiled.sql]), list(compiled.warnings))
