"""Rows that change what is there and create what isn't: the record that a row names, or a new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import trees, write
from ptolemy.engine.claims import in_turn
from ptolemy.engine.fields import Reference
from ptolemy.engine.resource import ID, Resource
from ptolemy.engine.write import Write
from ptolemy.imports.keys import RowKey, Value
from ptolemy.imports.rows import RowReader, Taken
from ptolemy.kernel.problems import Conflict, FieldError, Problem
from ptolemy.kernel.runs import runs

_LOOKS = 3
"""How often a record is looked for that others create at the same time."""


async def upsert_each(
    tx: Transaction, resource: Resource, reader: RowReader, key: RowKey, rows: Sequence[Taken]
) -> list[tuple[Write, Row | Problem]]:
    """Each row's write and what became of it; a write that changes nothing answers its `old` row, without an event.

    Rows take effect in the order in which they stand, those of a tree behind their parents: of rows of one name the
    last one says what stays.
    """
    await resource.one_at_a_time(tx)
    answers: dict[int, tuple[Write, Row | Problem]] = {}
    values = dict(zip(map(id, rows), await key.values(tx, rows), strict=True))
    for part in _parts(resource, reader, key, rows, values):
        await _together(tx, resource, reader, key, part, values, answers)
    found = (answers[id(taken)] for taken in rows)
    return [(written, _advised(answer, key)) for written, answer in found]


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
    for look in range(_LOOKS):
        found = await key.records(tx, [values[id(taken)] for taken in rows])
        if look:
            # What still isn't there is in the way of the row by something else than its name.
            there = [record is not None for record in found]
            rows, found = list(compress(rows, there)), list(compress(found, there))
        writes = [
            reader.creation(taken) if record is None or isinstance(record, Problem) else _change(reader, taken, record)
            for taken, record in zip(rows, found, strict=True)
        ]
        named = [not isinstance(record, Problem) for record in found]
        saved = iter(await _saved(tx, resource, list(compress(writes, named))))
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


async def _saved(tx: Transaction, resource: Resource, writes: Sequence[Write]) -> list[Row | Problem]:
    return [row for part in in_turn(resource, writes) for row in await write.save_each(tx, resource, part)]


def _change(reader: RowReader, taken: Taken, record: Row) -> Write:
    changed = reader.change(taken, record)
    if record.get("archived_at") is not None and "archived_at" not in changed.kept:
        changed.refuse("archived", f"the {reader.resource.called} is archived: restore it first")
    return changed


def _advised(answer: Row | Problem, key: RowKey) -> Row | Problem:
    """What to do about a record of the row's id that has another name, or none since it is archived."""
    same_id = isinstance(answer, Conflict) and ID.name in [error.field for error in answer.errors]
    if not isinstance(answer, Conflict) or not same_id or key.column == ID.name:
        return answer
    detail = f"{answer.detail}, and {key.column} doesn't find it: use identifier_column=id to change it"
    return Conflict(answer.code, detail, (FieldError(ID.name, answer.code, detail),))


def _is_taken(answer: Row | Problem) -> bool:
    return isinstance(answer, Conflict) and answer.code == "duplicate"


def _parts(
    resource: Resource, reader: RowReader, key: RowKey, rows: Sequence[Taken], values: Mapping[int, Value]
) -> Iterable[Sequence[Taken]]:
    """The rows in parts in which no two name the same record."""
    if reference := trees.own_reference(type(resource)):
        # Each may move others, and so change what these are called.
        return ([taken] for taken in _parents_first(resource, reference, reader, rows))
    # Rows of other names may go first only where no two names can want the same thing.
    any_order = key.names_all_that_is_unique and not any(taken.is_recorded for taken in rows)
    return _rounds(rows, values) if any_order else runs(rows, lambda taken: values[id(taken)])


def _parents_first(
    resource: Resource, reference: Reference, reader: RowReader, rows: Sequence[Taken]
) -> Iterator[Taken]:
    """A child may stand before its parent in the file."""
    writes = [reader.creation(taken) for taken in rows]
    by_write = dict(zip(map(id, writes), rows, strict=True))
    return (by_write[id(each)] for each in trees.parents_first(type(resource), reference, writes))


def _rounds(rows: Sequence[Taken], values: Mapping[int, Value]) -> list[list[Taken]]:
    """All that name a record for the first time, then those that name one again, and so on."""
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
