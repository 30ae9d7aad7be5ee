"""Changes of one record after the other in one transaction, each told of by itself."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any
from uuid import UUID

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import store
from ptolemy.engine.fields import Field, Reference
from ptolemy.engine.resource import Resource
from ptolemy.engine.write import Write, answer, differs, follow_up, prepare
from ptolemy.kernel.problems import Problem

Claim = tuple[Hashable, ...]


class Steps:
    """Step by step each record is changed, and stored in the end as the last step leaves it.

    A row that is stored over and over leaves every version behind until the transaction ends, and whoever looks for it
    passes them all: a thousand steps, each stored, would take a million looks.
    """

    def __init__(self, tx: Transaction, resource: Resource) -> None:
        self._tx, self._resource = tx, resource
        self._last: dict[UUID, Write] = {}
        self._taken: list[tuple[Write, Row]] = []

    async def take(self, writes: Sequence[Write]) -> list[Row | Problem]:
        """One step each of records that this transaction holds: changes, answered as by `save_each`."""
        await prepare(self._tx, self._resource, writes)
        changed = [write for write in writes if not write.problem and differs(self._resource, write)]
        judged = [write for write in changed if is_judged(self._resource, write)]
        judgements = await store.update_each(self._tx, self._resource, judged)
        refused = {id(write): each for write, each in zip(judged, judgements, strict=True) if isinstance(each, Problem)}
        accepted = [write for write in changed if id(write) not in refused]
        self._last |= {_key(write): write for write in accepted}
        stored = refused | {id(write): store.changed(self._resource, write) for write in accepted}
        answers = [answer(write, stored) for write in writes]
        self._taken += [
            (write, row)
            for write, row in zip(writes, answers, strict=True)
            if not isinstance(row, Problem) and row is not write.old
        ]
        return answers

    async def end(self) -> None:
        """Stores what the last steps leave, and tells of every one."""
        for stored in await store.update_each(self._tx, self._resource, list(self._last.values())):
            if isinstance(stored, Problem):
                raise stored
        await follow_up(self._tx, self._resource, self._taken, told=not self._resource.by_the_million)


def is_judged(resource: Resource, write: Write) -> bool:
    """Whether a change needs the database's judgement: of what is unique, only among the active, or overlaps."""
    fields = [of for rule in resource.unique for of in rule.fields if not of.fixed]
    if period := resource.no_overlap:
        fields += [period.of, period.start, period.end]
    archives = write.old is not None and resource.lifecycle.archive and write.archived_at != write.old["archived_at"]
    return archives or any(_moves(write, of) for of in fields)


def _moves(write: Write, of: Field[Any]) -> bool:
    """Whether the field changes, as far as is known: a reference that isn't resolved yet may be a UUID in words."""
    return write.changed(of) and str(write.get(of)) != str(write.was(of))


def in_turn(resource: Resource, writes: Sequence[Write]) -> Iterator[list[Write]]:
    """The writes in parts that come to the same in whichever order they are stored, but for new records among each
    other: a change may want, or let go of, what others want or have."""
    part: list[Write] = []
    created: set[Claim] = set()
    changed: set[Claim] = set()
    for write in writes:
        claims = _claims(resource, write)
        if claims & (changed if write.old is None else created | changed):
            yield part
            part, created, changed = [], set(), set()
        part.append(write)
        (created if write.old is None else changed).update(claims)
    if part:
        yield part


def _claims(resource: Resource, write: Write) -> set[Claim]:
    """What a new record would be alone in having, and what a change takes or lets go; of references not which ones."""
    if write.old is not None and not is_judged(resource, write):
        return set()
    fields = [[of for of in rule.fields if not isinstance(of, Reference)] for rule in resource.unique]
    if resource.no_overlap:
        fields.append([])
    states = [] if write.archived_at else [[tuple(map(write.get, each)) for each in fields]]
    if write.old is not None and write.old.get("archived_at") is None:
        states.append([tuple(map(write.was, each)) for each in fields])
    return {(n, *values) for state in states for n, values in enumerate(state)}


def _key(write: Write) -> UUID:
    assert write.old is not None  # noqa: S101 - a step changes what is there
    key: UUID = write.old["id"]
    return key
