"""Archive and hard delete; restore is a write like any other (`write.restore`)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import constraints, history, lookup
from ptolemy.engine.etags import ANY, Expected
from ptolemy.engine.fields import Reference
from ptolemy.engine.history import Change
from ptolemy.engine.resource import Resource
from ptolemy.engine.usage import records_with
from ptolemy.events import log
from ptolemy.kernel.problems import BadRequest, Conflict

_AT_ONCE = 10_000


async def archive(tx: Transaction, resource: Resource, key: str, *, expected: Expected = ANY) -> None:
    """Hides the record and keeps all of it; archiving an archived one changes nothing."""
    await resource.one_at_a_time(tx)
    row = await lookup.one(tx, type(resource), key, lock="for no key update")
    expected.check(type(resource), row)
    if row["archived_at"] is not None:
        return
    rows = [row, *await resource.archived_along(tx, row)]
    statement = Sql.of(
        f"update {resource.table}"
        " set archived_at = now(), updated_at = now(), recorded_at = now()"
        " where workspace_id = ? and id = any(?)"
        " returning *",
        tx.workspace_id,
        [each["id"] for each in rows],
    )
    archived = {each["id"]: each for each in await tx.rows(statement)}
    await history.record(tx, resource, [Change("archived", each, archived[each["id"]]) for each in rows])


async def hard_delete(
    tx: Transaction, resource: Resource, key: str, *, cascade: bool = False, expected: Expected = ANY
) -> None:
    """Removes the record for ever, with what its declaration says goes along.

    Other dependents refuse it with a 409 that counts them by kind, unless the resource lets `cascade` take them too.
    """
    if not resource.lifecycle.hard_delete:
        raise BadRequest("hard_delete_unsupported", f"{resource.a_called} can only be archived: leave out hard=true")
    if cascade and not resource.lifecycle.cascade:
        raise BadRequest("cascade_unsupported", f"cascade=true is not offered for {resource.a_called}")
    await resource.one_at_a_time(tx)
    row = await lookup.one(tx, type(resource), key, lock="for update")
    expected.check(type(resource), row)
    if not cascade and (blocking := await _blocking(tx, resource, row)):
        counts = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in blocking.items())
        raise Conflict(
            "blocked_by_dependents",
            f"other records use this {resource.called}: {counts}",
            more={"dependents": blocking},
        )
    try:
        await remove(tx, resource, [row])
    except asyncpg.ForeignKeyViolationError as error:
        raise constraints.explained(resource, error) from None


async def _blocking(tx: Transaction, resource: Resource, row: Row) -> dict[str, int]:
    """How many records of which kind stand in the way, archived ones too."""
    counts = await records_with(tx, resource, row)
    for child, reference in resource.dependents:
        if reference.when_deleted == "refuse" and (number := await _count(tx, child, reference, row["id"])):
            counts[child.table] = counts.get(child.table, 0) + number
    return counts


async def _count(tx: Transaction, child: Resource, reference: Reference, record: UUID) -> int:
    number: int = 0
    for half in _halves(child, reference):
        statement = Sql.of(
            f"select count(*) from {child.table} where workspace_id = ? and {reference.name} = ?{half}",
            tx.workspace_id,
            record,
        )
        number += await tx.value(statement)
    return number


def _halves(child: Resource, reference: Reference) -> Sequence[str]:
    """Values have one partial index for the active rows and one for the archived ones, and none for both."""
    return ("",) if reference.enforced else (" and archived_at is null", " and archived_at is not null")


async def remove(tx: Transaction, resource: Resource, rows: Sequence[Row]) -> None:
    """Removes locked rows, and first their children, so that each has its event and leaves its count."""
    if not rows:
        return
    ids = [row["id"] for row in rows]
    for child, reference in resource.dependents:
        if child.by_the_million:
            await _delete_values(tx, child, reference, ids)
        else:
            statement = Sql.of(
                f"select * from {child.table}"
                f" where workspace_id = ? and {reference.name} = any(?) order by id for update",
                tx.workspace_id,
                ids,
            )
            await remove(tx, child, await tx.rows(statement))
    await tx.run(Sql.of(f"delete from {resource.table} where workspace_id = ? and id = any(?)", tx.workspace_id, ids))
    await history.record(tx, resource, [Change("deleted", row, None) for row in rows])


async def _delete_values(tx: Transaction, child: Resource, reference: Reference, ids: Sequence[UUID]) -> None:
    """Values have one event for each parent, which counts them."""
    for record in ids:
        number = 0
        for half in _halves(child, reference):
            while gone := await _delete_some(tx, child, reference, record, half):
                number += gone
        if number:
            await log.record(tx, [_values_deleted(child, reference, record, number)])


async def _delete_some(tx: Transaction, child: Resource, reference: Reference, record: UUID, half: str) -> int:
    """A part at a time, so that memory doesn't grow with the history of an instrument."""
    some = Sql.of(
        f"select * from {child.table}"
        f" where workspace_id = ? and {reference.name} = ?{half} limit {_AT_ONCE} for update",
        tx.workspace_id,
        record,
    )
    gone = await tx.rows(some)
    if not gone:
        return 0
    # By their ids: with the choice inside the delete, the planner may run it once for every row of the table.
    ids = [row["id"] for row in gone]
    await tx.run(Sql.of(f"delete from {child.table} where workspace_id = ? and id = any(?)", tx.workspace_id, ids))
    await history.count(tx, child, [Change("deleted", row, None) for row in gone])
    return len(gone)


def _values_deleted(child: Resource, reference: Reference, record: UUID, number: int) -> log.Entry:
    return log.Entry(
        event_type=f"{child.singular}.deleted",
        resource_type=child.singular,
        resource_id=record,
        resource_identifier=None,
        changes={reference.name: {"from": str(record), "to": None}, "count": {"from": number, "to": 0}},
    )
