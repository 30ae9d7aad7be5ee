"""Records that refer to records of their own resource, in an order in which they can be written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields.reference import Reference
from ptolemy.kernel.identifiers import as_uuid

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource
    from ptolemy.engine.write import Write


def own_reference(resource: type[Resource]) -> Reference | None:
    """The reference that makes a tree of the resource, if there is one."""
    return next((each for each in resource.references() if each.target is resource), None)


def parents_first(resource: type[Resource], reference: Reference, writes: Sequence[Write]) -> list[Write]:
    """The same writes, each behind that of its parent where that is among them, whichever way it is named."""
    by_key = {str(write.kept["id"]): write for write in writes if write.kept.get("id")}
    by_key |= {str(write.sent[name]): write for write in writes if (name := resource.named_by) and name in write.sent}
    ordered: dict[int, Write] = {}

    def place(write: Write) -> None:
        above = [write]
        while (parent := _parent(by_key, reference, above[-1])) and parent not in above and id(parent) not in ordered:
            above.append(parent)
        ordered.update({id(each): each for each in reversed(above) if id(each) not in ordered})

    for write in writes:
        place(write)
    return list(ordered.values())


def _parent(by_key: dict[str, Write], reference: Reference, write: Write) -> Write | None:
    keys = (write.sent.get(reference.name), write.beside.get(reference.name))
    return next((by_key[str(key)] for key in keys if str(key) in by_key), None)


class Generations:
    """New records of a tree, in parts of which each has its parents in those before it, or in the database."""

    def __init__(self, resource: type[Resource], reference: Reference, writes: Sequence[Write]) -> None:
        self._resource, self._reference = resource, reference
        self._waiting = list(writes)
        self._there: set[lookup.Key] = set()
        self._archived: set[lookup.Key] = set()

    async def look(self, tx: Transaction) -> None:
        """Finds, and holds, the parents that are there before the first of them is written."""
        names = {name for write in self._waiting for name in self._names(write)}
        found = await lookup.parents(tx, self._resource, (), names)
        for name, row in found.items():
            self._add(name, row)

    def next(self) -> list[Write]:
        """Those whose parents are there; then those of archived ones, unless an active one of the name has come."""
        coming = {str(write.kept["id"]) for write in self._waiting if write.kept.get("id")}
        ready = [write for write in self._waiting if self._stands(write, coming)]
        if not ready:
            self._there |= self._archived
            ready = [write for write in self._waiting if self._stands(write, coming)] or self._waiting
        gone = set(map(id, ready))
        self._waiting = [write for write in self._waiting if id(write) not in gone]
        return ready

    def came(self, rows: Iterable[Row]) -> None:
        """These have been written."""
        for row in rows:
            self._there.add(str(row["id"]))
            if self._resource.named_by:
                self._add(row[self._resource.named_by], row)

    def _add(self, name: lookup.Key, row: Row) -> None:
        by_name = not as_uuid(str(name)) and row.get("archived_at") is not None
        (self._archived if by_name else self._there).add(name)

    def _stands(self, write: Write, coming: set[str]) -> bool:
        names = self._names(write)
        for name in names:
            if name in self._there or name in coming:
                return name in self._there
        return not names

    def _names(self, write: Write) -> list[lookup.Key]:
        """What names the parent, the name that decides first."""
        keys = (write.new.get(self._reference.name), write.beside.get(self._reference.name))
        return [lookup.told(key) for key in keys if key is not None]
