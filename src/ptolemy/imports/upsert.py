"""Rows that change what is there and create what isn't: the record that a row names, or a new one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import trees, write
from ptolemy.engine.resource import ID, Resource
from ptolemy.engine.steps import Steps
from ptolemy.engine.write import Write
from ptolemy.imports.keys import RowKey, Value
from ptolemy.imports.rows import RowReader, Taken
from ptolemy.kernel.problems import Conflict, FieldError, Problem

_LOOKS = 3
"""How often a record is looked for that others create at the same time."""


async def upsert_each(
    tx: Transaction, resource: Resource, reader: RowReader, key: RowKey, rows: Sequence[Taken]
) -> list[tuple[Write, Row | Problem]]:
    """Each row's write and what became of it; a write that changes nothing answers its `old` row, without an event.

    Rows of one name come one after the other, so that the last one says what stays.
    """
    await resource.one_at_a_time(tx)
    answers: dict[int, tuple[Write, Row | Problem]] = {}
    values = dict(zip(map(id, rows), await key.values(tx, rows), strict=True))
    held: dict[Value, Row] = {}
    steps = Steps(tx, resource)
    for part in _rounds(resource, _parents_first(resource, reader, rows), values):
        again = [taken for taken in part if values[id(taken)] in held]
        changes = [_change(reader, taken, held[values[id(taken)]]) for taken in again]
        answers |= zip(map(id, again), zip(changes, await steps.take(changes), strict=True), strict=True)
        others = [taken for taken in part if values[id(taken)] not in held]
        await _together(tx, resource, reader, key, others, values, answers)
        if not trees.own_reference(type(resource)):
            held |= _held(part, values, answers)
    await steps.end()
    found = (answers[id(taken)] for taken in rows)
    return [(written, _advised(answer, key)) for written, answer in found]


def _held(
    rows: Sequence[Taken], values: dict[int, Value], answers: dict[int, tuple[Write, Row | Problem]]
) -> dict[Value, Row]:
    """The records that were changed, by what names them, as they are now.

    Not those that were created: what the database has filled in is known once they are looked for.
    """
    found = ((values[id(taken)], *answers[id(taken)]) for taken in rows)
    return {
        value: write.old if isinstance(answer, Problem) else answer
        for value, write, answer in found
        if write.old is not None
    }


async def _together(
    tx: Transaction,
    resource: Resource,
    reader: RowReader,
    key: RowKey,
    rows: Sequence[Taken],
    values: dict[int, Value],
    answers: dict[int, tuple[Write, Row | Problem]],
) -> None:
    """Rows that name different records."""
    for _ in range(_LOOKS):
        found = await key.records(tx, [values[id(taken)] for taken in rows])
        writes = [
            reader.creation(taken) if record is None or isinstance(record, Problem) else _change(reader, taken, record)
            for taken, record in zip(rows, found, strict=True)
        ]
        named = [not isinstance(record, Problem) for record in found]
        saved = iter(await write.save_each(tx, resource, list(compress(writes, named))))
        stored = [record if isinstance(record, Problem) else next(saved) for record in found]
        answers |= {id(taken): each for taken, each in zip(rows, zip(writes, stored, strict=True), strict=True)}
        # Another writer has created the record since it was looked for: then it is there to be changed.
        rows = [
            taken
            for taken, each, answer in zip(rows, writes, stored, strict=True)
            if each.verb == "created" and values[id(taken)] is not None and _is_taken(answer)
        ]
        if not rows:
            return


def _change(reader: RowReader, taken: Taken, record: Row) -> Write:
    changed = reader.change(taken, record)
    if record.get("archived_at") is not None and "archived_at" not in changed.kept:
        changed.refuse("archived", f"the {reader.resource.called} is archived: restore it first")
    return changed


def _parents_first(resource: Resource, reader: RowReader, rows: Sequence[Taken]) -> Sequence[Taken]:
    """A child may stand before its parent in the file."""
    reference = trees.own_reference(type(resource))
    if reference is None:
        return rows
    writes = [reader.creation(taken) for taken in rows]
    by_write = dict(zip(map(id, writes), rows, strict=True))
    return [by_write[id(each)] for each in trees.parents_first(type(resource), reference, writes)]


def _advised(answer: Row | Problem, key: RowKey) -> Row | Problem:
    """What to do about a record of the row's id that has another name, or none since it is archived."""
    same_id = isinstance(answer, Conflict) and ID.name in [error.field for error in answer.errors]
    if not isinstance(answer, Conflict) or not same_id or key.column == ID.name:
        return answer
    detail = f"{answer.detail}, and {key.column} doesn't find it: use identifier_column=id to change it"
    return Conflict(answer.code, detail, (FieldError(ID.name, answer.code, detail),))


def _is_taken(answer: Row | Problem) -> bool:
    return isinstance(answer, Conflict) and answer.code == "duplicate"


def _rounds(resource: Resource, rows: Sequence[Taken], values: dict[int, Value]) -> list[list[Taken]]:
    """The rows in parts in which no two name the same record. Those of a tree come alone: each may move others."""
    if trees.own_reference(type(resource)):
        return [[taken] for taken in rows]
    rounds: list[list[Taken]] = []
    times: dict[Value, int] = {}
    for taken in rows:
        value = values[id(taken)]
        place = 0 if value is None else times.get(value, 0)
        times[value] = place + 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(taken)
    return rounds
