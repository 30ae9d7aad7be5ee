"""What a change leaves behind in its own transaction: an event a record, and the count of items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Overtaken, Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.resource import ARCHIVED_AT, Resource, times
from ptolemy.events import log
from ptolemy.plans import items

Verb = Literal["created", "updated", "archived", "restored", "deleted"]


_CONTENDERS = 1_000_000


class Change(NamedTuple):
    verb: Verb
    old: Row | None
    new: Row | None
    returns: bool = False
    """It is set back to what a backup says, its own instants too."""


Ready = Mapping[int, tuple[Row, log.Entry]]
"""Events that were put into words beforehand, each by the `id()` of the row that it tells of, and with it."""

NONE_READY: Ready = MappingProxyType({})


async def record(tx: Transaction, resource: Resource, changes: Sequence[Change], ready: Ready = NONE_READY) -> None:
    """An event for each change, and the items that came or went.

    Raises `Overtaken` where these events would stand before earlier ones of the same record.
    """
    entries = [ready[id(new)][1] if id(new := change.new) in ready else _entry(resource, change) for change in changes]
    xid = await log.record(tx, entries)
    waited_for = [old for _, old, _, _ in changes if old is not None and old.get(lookup.WRITTEN_BY) is not None]
    if tx.distributed:
        overtaken = bool(waited_for) and await _is_before_events(tx, xid, waited_for)
    else:
        overtaken = any(_is_before(xid, old) for old in waited_for)
    if overtaken:
        raise Overtaken
    await count(tx, resource, changes)


def creations(resource: Resource, rows: Sequence[Row]) -> Ready:
    """The events of new records, for `record`."""
    return {id(row): (row, _entry(resource, Change("created", None, row))) for row in rows}


def _is_before(xid: int, old: Row) -> bool:
    """Whether the transaction, by its number, is older than the one that wrote the record before it.

    Who waits for a record may have a number already, while a younger one goes first. The numbers of records have 32
    bits and come round, so only a difference that contenders can have is taken for one.
    """
    number: int = old[lookup.WRITTEN_BY]
    return 0 < (number - xid) % 2**32 < _CONTENDERS


async def _is_before_events(tx: Transaction, xid: int, olds: Sequence[Row]) -> bool:
    """The same by the events that records have: the numbers in their rows are those of another server."""
    found: bool = await tx.value(
        Sql.of(
            "select exists (select from events"
            " where workspace_id = ? and epoch = ? and xid > ? and resource_id = any(?::uuid[]))",
            tx.workspace_id,
            tx.epoch,
            xid,
            [old["id"] for old in olds],
        )
    )
    return found


async def count(tx: Transaction, resource: Resource, changes: Sequence[Change]) -> None:
    """The items that came or went; archived records count on."""
    counted: Counter[str] = Counter()
    for _, old, new, _ in changes:
        for row, sign in ((new, 1), (old, -1)):
            if row is not None:
                for kind, number in resource.items_in(row).items():
                    counted[kind] += sign * number
    await items.count(tx, {kind: number for kind, number in counted.items() if number})


def _entry(resource: Resource, change: Change) -> log.Entry:
    row = change.new or change.old
    assert row is not None  # noqa: S101 - a change has a side
    return log.Entry(
        event_type=f"{resource.singular}.{change.verb}",
        resource_type=resource.singular,
        resource_id=row["id"],
        resource_identifier=row[resource.named_by] if resource.named_by else None,
        changes=_difference(resource, change),
    )


def _difference(resource: Resource, change: Change) -> dict[str, Any]:
    """`{field: {from, to}}` of every field that differs, as answers show them."""
    found, old, new = {}, change.old, change.new
    shown = {**resource.fields, "archived_at": ARCHIVED_AT} if resource.lifecycle.archive else resource.fields
    if change.returns and old is not None:
        shown = {**shown, **times(type(resource))}
    for name, of in shown.items():
        before = None if old is None or old[name] is None else of.show(old[name])
        after = None if new is None or new[name] is None else of.show(new[name])
        if before != after:
            found[of.shown_as] = {"from": before, "to": after}
    return found
