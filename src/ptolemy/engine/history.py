"""What a change leaves behind in its own transaction: an event a record, and the count of items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.resource import ARCHIVED_AT, Resource
from ptolemy.events import log
from ptolemy.plans import items

Verb = Literal["created", "updated", "archived", "restored", "deleted"]


class Change(NamedTuple):
    verb: Verb
    old: Row | None
    new: Row | None


async def record(tx: Transaction, resource: Resource, changes: Sequence[Change]) -> None:
    """An event for each change, and the items that came or went."""
    await log.record(tx, [_entry(resource, change) for change in changes])
    await count(tx, resource, changes)


async def count(tx: Transaction, resource: Resource, changes: Sequence[Change]) -> None:
    """The items that came or went; archived records count on."""
    counted: Counter[str] = Counter()
    for _, old, new in changes:
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
        changes=_difference(resource, change.old, change.new),
    )


def _difference(resource: Resource, old: Row | None, new: Row | None) -> dict[str, Any]:
    """`{field: {from, to}}` of every field that differs, as answers show them."""
    found = {}
    shown = {**resource.fields, "archived_at": ARCHIVED_AT} if resource.lifecycle.archive else resource.fields
    for name, of in shown.items():
        before = None if old is None or old[name] is None else of.show(old[name])
        after = None if new is None or new[name] is None else of.show(new[name])
        if before != after:
            found[of.shown_as] = {"from": before, "to": after}
    return found
