"""Rows that change what is there and create what isn't: the record that a row names, or a new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, groupby

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import trees, write
from ptolemy.engine.fields import Reference
from ptolemy.engine.resource import ID, Resource
from ptolemy.engine.steps import Steps, in_turn, is_judged
from ptolemy.engine.write import Write
from ptolemy.imports.keys import RowKey, Value
from ptolemy.imports.rows import RowReader, Taken
from ptolemy.kernel.problems import Conflict, FieldError, Problem

_AT_ONCE = 500
"""Rows of a tree that are written together."""

_LOOKS = 3
"""How often a record is looked for that others create at the same time."""


async def upsert_each(
    tx: Transaction, resource: Resource, reader: RowReader, key: RowKey, rows: Sequence[Taken]
) -> list[tuple[Write, Row | Problem]]:
    """Each row's write and what became of it; a write that changes nothing answers its `old` row, without an event.

    Rows of one name come one after the other, so that the last one says what stays.
    """
    await resource.one_at_a_time(tx)
    values = dict(zip(map(id, rows), await key.values(tx, rows), strict=True))
    upsert = _Upsert(tx, resource, reader, key, values)
    if reference := trees.own_reference(type(resource)):
        await upsert.tree(_parents_first(resource, reference, reader, rows), reference)
    else:
        await upsert.flat(rows)
    found = (upsert.answers[id(taken)] for taken in rows)
    return [(written, _advised(answer, key)) for written, answer in found]


class _Upsert:
    """Rows by what they are found by, `values`, and what became of them, `answers`; both by the `id()` of the row."""

    def __init__(
        self, tx: Transaction, resource: Resource, reader: RowReader, key: RowKey, values: dict[int, Value]
    ) -> None:
        self._tx, self._resource, self._reader, self._key, self._values = tx, resource, reader, key, values
        self.answers: dict[int, tuple[Write, Row | Problem]] = {}

    async def flat(self, rows: Sequence[Taken]) -> None:
        """In parts in which the rows name different records; those named again are changed step by step."""
        held: dict[Value, Row] = {}
        steps = Steps(self._tx, self._resource)

        def is_held(taken: Taken) -> bool:
            return self._values[id(taken)] in held

        # Rows of other names may go first only where no two names can want the same.
        any_order = self._key.names_all_that_is_unique and not any(taken.is_recorded for taken in rows)
        for part in (_rounds if any_order else _runs)(rows, self._values):
            for again, group in groupby(sorted(part, key=is_held) if any_order else part, is_held):
                taken = list(group)
                if again:
                    changes = [_change(self._reader, each, held[self._values[id(each)]]) for each in taken]
                    answers = [row for each in self._in_turn(changes) for row in await steps.take(each)]
                    self.answers |= zip(map(id, taken), zip(changes, answers, strict=True), strict=True)
                else:
                    await self._together(taken)
            held |= self._held(part)
        await steps.end()

    async def tree(self, rows: Sequence[Taken], reference: Reference) -> None:
        """Together while none of them moves a record: that moves all below it, and may change what a row names."""
        at_once = _AT_ONCE
        while rows:
            part = rows[: await self._resting(rows[:at_once], reference) or 1]
            await self._together(part)
            at_once = min(2 * len(part), _AT_ONCE)
            rows = rows[len(part) :]

    async def _resting(self, rows: Sequence[Taken], reference: Reference) -> int:
        """How many of the first of them name different records and leave them where they are."""
        values = [self._values[id(taken)] for taken in rows]
        found = await self._key.records(self._tx, values) if len(rows) > 1 else []
        named = ((n, row) for n, row in enumerate(found) if row is not None and not isinstance(row, Problem))
        changes = {n: _change(self._reader, rows[n], row) for n, row in named}
        await write.prepare(self._tx, self._resource, list(changes.values()))
        seen: set[Value] = set()
        for n, value in enumerate(values):
            change = changes.get(n)
            moves = change and (change.problem or change.changed(reference) or is_judged(self._resource, change))
            if moves or value in seen:
                return n
            seen |= {value} - {None}
        return len(rows)

    async def _together(self, rows: Sequence[Taken]) -> None:
        """Rows that name different records."""
        for look in range(_LOOKS):
            found = await self._key.records(self._tx, [self._values[id(taken)] for taken in rows])
            if look:
                # What isn't there is in the way of the row by something else than its name.
                there = [record is not None for record in found]
                rows, found = list(compress(rows, there)), list(compress(found, there))
            writes = [
                self._reader.creation(taken)
                if record is None or isinstance(record, Problem)
                else _change(self._reader, taken, record)
                for taken, record in zip(rows, found, strict=True)
            ]
            named = [not isinstance(record, Problem) for record in found]
            parts = self._in_turn(list(compress(writes, named)))
            saved = iter([row for part in parts for row in await write.save_each(self._tx, self._resource, part)])
            stored = [record if isinstance(record, Problem) else next(saved) for record in found]
            self.answers |= zip(map(id, rows), zip(writes, stored, strict=True), strict=True)
            # Another writer has created the record since it was looked for: then it is there to be changed.
            rows = [
                taken
                for taken, each, answer in zip(rows, writes, stored, strict=True)
                if each.verb == "created" and self._values[id(taken)] is not None and _is_taken(answer)
            ]
            if not rows:
                return

    def _in_turn(self, writes: Sequence[Write]) -> Iterable[Sequence[Write]]:
        """In parts that may be stored together; of a tree `_resting` has seen to that."""
        if self._key.names_all_that_is_unique or trees.own_reference(type(self._resource)):
            return [writes]
        return in_turn(self._resource, writes)

    def _held(self, rows: Sequence[Taken]) -> dict[Value, Row]:
        """The records that were changed, by what names them, as they are now.

        Not those that were created: what the database has filled in is known once they are looked for.
        """
        found = ((self._values[id(taken)], *self.answers[id(taken)]) for taken in rows)
        return {
            value: change.old if isinstance(answer, Problem) else answer
            for value, change, answer in found
            if change.old is not None
        }


def _change(reader: RowReader, taken: Taken, record: Row) -> Write:
    changed = reader.change(taken, record)
    if record.get("archived_at") is not None and "archived_at" not in changed.kept:
        changed.refuse("archived", f"the {reader.resource.called} is archived: restore it first")
    return changed


def _parents_first(
    resource: Resource, reference: Reference, reader: RowReader, rows: Sequence[Taken]
) -> Sequence[Taken]:
    """A child may stand before its parent in the file."""
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


def _rounds(rows: Sequence[Taken], values: dict[int, Value]) -> list[list[Taken]]:
    """The rows in parts in which no two name the same record."""
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


def _runs(rows: Sequence[Taken], values: dict[int, Value]) -> Iterator[list[Taken]]:
    """The rows in their order, in parts in which no two name the same record."""
    run: list[Taken] = []
    named: set[Value] = set()
    for taken in rows:
        value = values[id(taken)]
        if value in named:
            yield run
            run, named = [], set()
        run.append(taken)
        named |= {value} - {None}
    if run:
        yield run
