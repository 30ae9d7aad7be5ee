"""One record on its way into the database, and `save`, where creating, changing and restoring meet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import history, lifecycle, links, lookup, store, trees
from ptolemy.engine.etags import ANY, Expected
from ptolemy.engine.fields.field import Field
from ptolemy.engine.fields.reference import Reference
from ptolemy.engine.resource import Resource
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, Problem

T = TypeVar("T")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    """One for all: of ten thousand writes, hardly one carries anything beside."""
    return _NOTHING


Verb = Literal["created", "updated", "restored"]


@dataclass(slots=True)
class Write:
    """What a moment sees: `old` and `new` state, the parents, and ways to refuse.

    `sent` holds what the caller sent. `recorded` says that a record comes back as it once was recorded: its parents may
    be archived and no defaults are filled in. `beside` holds the identifiers that a file carries beside UUIDs, `kept`
    the id and the instants that a file carries. `whole` says that a record becomes all that a backup says of it: custom
    fields that the backup lacks go, and its instants are the backup's. `blank` names custom fields whose
    cells are empty.
    """

    verb: Verb
    old: Row | None
    new: dict[str, Any]
    sent: Mapping[str, Any]
    recorded: bool = False
    beside: Mapping[str, lookup.Key] = field(default_factory=_nothing)
    kept: Mapping[str, Any] = field(default_factory=_nothing)
    parents: dict[str, Row] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)
    conflict: Conflict | None = None
    whole: bool = False
    blank: Collection[str] = ()

    def get(self, of: Field[T]) -> T | None:
        value: T | None = self.new.get(of.name)
        return value

    def was(self, of: Field[T]) -> T | None:
        if self.old is None or self.old[of.name] is None:
            return None
        return of.load(self.old[of.name])

    def changed(self, of: Field[Any]) -> bool:
        return self.old is None or not of.same(self.get(of), self.was(of))

    def parent(self, reference: Reference) -> Row | None:
        return self.parents.get(reference.name)

    def refuse_field(self, path: str, code: str, message: str) -> None:
        """A bad value: a 422 that names every one."""
        self.errors.append(FieldError(path, code, message))

    def refuse(self, code: str, detail: str, *, field: str | None = None) -> None:
        """A rule that this write breaks although its values are fine by themselves: a 409."""
        self.conflict = self.conflict or Conflict(code, detail, (FieldError(field, code, detail),) if field else ())

    @property
    def archived_at(self) -> datetime | None:
        """Since when the record is archived once this is written."""
        if self.verb == "restored":
            return None
        found: datetime | None = self.kept.get("archived_at", self.old.get("archived_at") if self.old else None)
        return found

    @property
    def instants(self) -> list[str]:
        """Which of its own instants the record gets from a file rather than from the clock."""
        return [name for name in ("created_at", "updated_at") if self.kept.get(name) is not None]

    @property
    def problem(self) -> Problem | None:
        return Invalid(*self.errors) if self.errors else self.conflict


async def create(tx: Transaction, resource: Resource, sent: Mapping[str, Any]) -> Row:
    [row] = await save(tx, resource, [creation(resource, sent)])
    return await _link(tx, resource, row, sent)


def creation(resource: Resource, sent: Mapping[str, Any], **imported: Any) -> Write:
    new = {name: sent.get(name, of.default) for name, of in resource.fields.items()}
    return Write("created", None, new, sent, **imported)


async def change(
    tx: Transaction, resource: Resource, key: str, sent: Mapping[str, Any], *, expected: Expected = ANY
) -> Row:
    """The changed record; one that stays the same is left alone, without an event."""
    await resource.one_at_a_time(tx)
    row = await lookup.one(tx, type(resource), key, lock="for no key update")
    check_changeable(resource, row, expected)
    [stored] = await save(tx, resource, [Write("updated", row, loaded(resource, row) | dict(sent), sent)])
    return await _link(tx, resource, stored, sent)


def check_changeable(resource: Resource, row: Row, expected: Expected) -> None:
    """Refuses to change a record of another version, then one that is archived."""
    expected.check(type(resource), row)
    if row.get("archived_at") is not None:
        raise Conflict("archived", f"the {resource.called} is archived: restore it first")


async def restore(tx: Transaction, resource: Resource, key: str, *, expected: Expected = ANY) -> Row:
    await resource.one_at_a_time(tx)
    row = await lookup.one(tx, type(resource), key, lock="for no key update")
    check_restorable(resource, row, expected)
    [stored] = await save(tx, resource, [Write("restored", row, loaded(resource, row), {})])
    return stored


def check_restorable(resource: Resource, row: Row, expected: Expected) -> None:
    """Refuses to restore a record of another version, then one that is not archived."""
    expected.check(type(resource), row)
    if row["archived_at"] is None:
        raise Conflict("not_archived", f"the {resource.called} is not archived")


async def _link(tx: Transaction, resource: Resource, row: Row, sent: Mapping[str, Any]) -> Row:
    """The record with the links that were sent; each one that comes or goes has its event."""
    for of in resource.links():
        if of.name in sent:
            gone, new = await links.difference(tx, of, row, sent[of.name])
            await lifecycle.remove(tx, of.link, gone)
            await save(tx, of.link, [creation(of.link, each) for each in new])
            row = {**row, of.name: await links.names(tx, of, row)}
    return row


def loaded(resource: Resource, row: Row) -> dict[str, Any]:
    return {name: None if row[name] is None else of.load(row[name]) for name, of in resource.fields.items()}


async def save(tx: Transaction, resource: Resource, writes: Sequence[Write]) -> list[Row]:
    """All of them or none; answers the stored rows in order, or raises the first write's problem."""
    await resource.one_at_a_time(tx)
    await prepare(tx, resource, writes)
    for write in writes:
        if write.problem:
            raise write.problem
    stored = []
    for write in writes:
        row = write.old if write.verb == "updated" and not differs(resource, write) else None
        stored.append(row or await store.store(tx, resource, write))
    changed = [(write, row) for write, row in zip(writes, stored, strict=True) if row is not write.old]
    await follow_up(tx, resource, changed)
    for of in resource.links():
        had = [write.old[of.name] if write.old else [] for write in writes]
        stored = [{**row, of.name: names} for row, names in zip(stored, had, strict=True)]
    return stored


async def save_each(tx: Transaction, resource: Resource, writes: Sequence[Write]) -> list[Row | Problem]:
    """New records and changed ones, each by itself: for one that can't go in its problem comes back in its place.

    A change names a record that is locked, once; one that changes nothing answers its `old` row and leaves no event.
    `kept["archived_at"]` archives or restores that record alone. Records that come by the million have no event each:
    whoever writes them tells of all of them at once. Those of a tree go in one by one, parents first.
    """
    reference = trees.own_reference(type(resource))
    if reference is None:
        return await _save_together(tx, resource, writes)
    answers = {}
    for write in trees.parents_first(type(resource), reference, writes):
        [answers[id(write)]] = await _save_together(tx, resource, [write])
    return [answers[id(write)] for write in writes]


async def _save_together(tx: Transaction, resource: Resource, writes: Sequence[Write]) -> list[Row | Problem]:
    await resource.one_at_a_time(tx)
    await prepare(tx, resource, writes)
    good = [write for write in writes if not write.problem]
    changed = [write for write in good if write.old is not None and differs(resource, write)]
    created = [write for write in good if write.old is None]
    # Changes come first: they may let go of a name that a new record takes.
    stored = {
        id(write): row for write, row in zip(changed, await store.update_each(tx, resource, changed), strict=True)
    }
    ready = dict(history.NONE_READY)

    def tell(rows: Sequence[Row]) -> None:
        if not resource.by_the_million:
            ready.update(history.creations(resource, rows))

    stored |= zip(map(id, created), await store.insert_each(tx, resource, created, meanwhile=tell), strict=True)
    answers = [_answer(write, stored) for write in writes]
    kept = [
        (write, row)
        for write, row in zip(writes, answers, strict=True)
        if not isinstance(row, Problem) and row is not write.old
    ]
    await follow_up(tx, resource, kept, told=not resource.by_the_million, ready=ready)
    return answers


def _answer(write: Write, stored: Mapping[int, Row | Problem]) -> Row | Problem:
    answer = write.problem or stored.get(id(write), write.old)
    assert answer is not None  # noqa: S101 - it is refused, stored, or was there before
    return answer


async def prepare(tx: Transaction, resource: Resource, writes: Sequence[Write]) -> None:
    """Resolves references and custom fields and runs the rules; each write then says whether it has a problem."""
    for of in resource.fields.values():
        await of.resolve(tx, writes)
    bound = [of for of in resource.fields.values() if of.fixed or (of.required and not of.derived)]
    for write in writes:
        for of in bound:
            if write.new.get(of.name) is None and of.required and not of.derived and not _has_error(write, of.name):
                write.refuse_field(of.name, "required", "is required")
            elif of.fixed and write.old is not None and write.changed(of):
                write.refuse_field(of.name, "immutable", "can't be changed once the record is created")
    sound = [write for write in writes if not write.problem]
    await resource.before_write(tx, sound)
    for write in sound:
        if not write.problem:
            resource.check(write)


async def follow_up(
    tx: Transaction,
    resource: Resource,
    saved: Sequence[tuple[Write, Row]],
    *,
    told: bool = True,
    ready: history.Ready = history.NONE_READY,
) -> None:
    """What comes after rows are stored; `told` says that each has its event, of which some may be `ready`."""
    if not saved:
        return
    changes = [history.Change(_told_as(write, row), write.old, row, write.whole) for write, row in saved]
    if told:
        await history.record(tx, resource, changes, ready)
    else:
        await history.count(tx, resource, changes)
    await resource.after_write(tx, [write for write, _ in saved])


def _told_as(write: Write, row: Row) -> history.Verb:
    """The verb of the event: a change that comes from a file may archive a record, or bring it back."""
    if write.verb == "updated" and write.old is not None and "archived_at" in write.kept:
        was, now = write.old["archived_at"] is not None, row["archived_at"] is not None
        if was != now:
            return "archived" if now else "restored"
    return write.verb


def _has_error(write: Write, name: str) -> bool:
    return any(error.field == name or error.field.startswith(f"{name}.") for error in write.errors)


def differs(resource: Resource, write: Write) -> bool:
    """Whether the write would change anything of the record."""
    if "archived_at" in write.kept and write.old is not None and write.archived_at != write.old["archived_at"]:
        return True
    if write.whole and write.old is not None and any(write.kept[name] != write.old[name] for name in write.instants):
        return True
    return any(write.changed(of) for of in resource.fields.values())
