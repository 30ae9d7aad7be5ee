"""Records that an answer carries along because others refer to them: `include=type,listing.instrument`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.fields import Links, Reference
from ptolemy.engine.resource import Resource
from ptolemy.kernel.problems import BadRequest

MAX_DEPTH = 3

Wanted: TypeAlias = "dict[str, Wanted]"
"""What to include, by token, each with what to include of that in turn."""

Included = dict[type[Resource], dict[UUID, Row]]
"""Each record once, by resource and id."""


def steps(resource: type[Resource]) -> Mapping[str, Reference | Links]:
    """What can be included of a resource, by its token."""
    references = {step.token: step for step in resource.references()}
    return references | {step.token: step for step in resource.links()}


def parse(resource: type[Resource], paths: Sequence[str]) -> Wanted:
    """The tree of dotted paths; a token that means nothing is a 400 that lists those that do."""
    wanted: Wanted = {}
    for path in paths:
        at, here = wanted, resource
        tokens = path.split(".")
        if len(tokens) > MAX_DEPTH:
            raise BadRequest("unknown_include", f"include {path!r} is more than {MAX_DEPTH} deep")
        for token in tokens:
            known = steps(here)
            if token not in known:
                valid = ", ".join(known) or "nothing"
                raise BadRequest(
                    "unknown_include", f"include {token!r} is unknown: of {here.a_called} there is {valid}"
                )
            at, here = at.setdefault(token, {}), target(known[token])
    return wanted


def target(step: Reference | Links) -> type[Resource]:
    return step.other.target if isinstance(step, Links) else step.target


async def included(tx: Transaction, resource: type[Resource], rows: Sequence[Row], wanted: Wanted) -> Included:
    """The records that `rows` refer to, as `wanted` asks; one query a token, or two."""
    found: Included = {}
    await _follow(tx, resource, rows, wanted, found)
    return found


async def _follow(
    tx: Transaction, resource: type[Resource], rows: Sequence[Row], wanted: Wanted, found: Included
) -> None:
    known = steps(resource)
    for token, deeper in wanted.items():
        step = known[token]
        if isinstance(step, Links):
            ids = await _linked(tx, step, rows)
        else:
            ids = {row[step.name] for row in rows if row[step.name] is not None}
        there = found.setdefault(target(step), {})
        there |= await _fetched(tx, target(step), ids - there.keys())
        if deeper:
            await _follow(tx, target(step), [there[record] for record in ids if record in there], deeper, found)


async def _linked(tx: Transaction, of: Links, rows: Sequence[Row]) -> set[UUID]:
    statement = Sql.of(
        f"select {of.other.name} as id from {of.link.table} where workspace_id = ? and {of.owner.name} = any(?)",
        tx.workspace_id,
        [row["id"] for row in rows],
    )
    return {row["id"] for row in await tx.rows(statement)}


async def _fetched(tx: Transaction, resource: type[Resource], ids: Collection[UUID]) -> dict[UUID, Row]:
    if not ids:
        return {}
    shown = resource.selected(resource.table, tx.workspace_id)
    statement = Sql.of(
        f"select {shown.text} from {resource.table} where workspace_id = ? and id = any(?) order by id",
        *shown.args,
        tx.workspace_id,
        list(ids),
    )
    return {row["id"]: row for row in await tx.rows(statement)}
