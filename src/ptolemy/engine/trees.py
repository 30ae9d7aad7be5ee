"""Records that refer to records of their own resource, in an order in which they can be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptolemy.engine.fields.reference import Reference

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
