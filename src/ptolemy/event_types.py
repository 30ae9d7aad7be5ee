"""Every type of event there is, who may read it, and what a subscription may name: one, all of a resource, or all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ptolemy.catalogue import RESOURCES
from ptolemy.database.sql import Sql
from ptolemy.engine.resource import Resource
from ptolemy.kernel.actors import Role, allows
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.quoting import seen

ALL = "*"


class _Told(NamedTuple):
    """What is told of one resource, to whom: an event shows no more than its reader may read of the resource itself."""

    read_by: Role
    """The least role that reads the resource over the API."""
    verbs: tuple[str, ...]


_ENDED = ("completed", "failed", "cancelled")

_BESIDE_RESOURCES = {
    "backup": _Told("admin", (*_ENDED, "verification_failed", "overdue", "pruned", "prune_refused")),
    "backup_policy": _Told("admin", ("created", "updated", "deleted")),
    "export": _Told("viewer", _ENDED),
    "import": _Told("viewer", _ENDED),
    "invitation": _Told("admin", ("created", "accepted", "deleted")),
    "membership": _Told("admin", ("created", "updated", "deleted")),
    "plan": _Told("viewer", ("overage_started",)),
    "rehearsal": _Told("viewer", _ENDED),
    "restore": _Told("member", _ENDED),
    "token": _Told("admin", ("created", "updated", "deleted")),
    "webhook": _Told("viewer", ("created", "updated", "deleted", "deactivated", "secret_rotated", "tested")),
    "workspace": _Told("viewer", ("created", "updated")),
}
"""By what stands before the dot of the type; of the catalogue's resources see `_of`.

Members read backups, but for where they lie: their events tell that.
"""


def _of(resource: Resource) -> _Told:
    verbs = ["created", *([] if resource.immutable else ["updated"])]
    if resource.lifecycle.archive:
        verbs += ["archived", "restored"]
    if resource.lifecycle.hard_delete or resource.by_the_million:
        verbs.append("deleted")
    if resource.by_the_million:
        verbs.append("batch_written")
    return _Told("viewer", tuple(verbs))


_TOLD = _BESIDE_RESOURCES | {resource.singular: _of(resource) for resource in RESOURCES}


def event_types() -> list[str]:
    """All types, in order."""
    return sorted(_types())


def _types() -> Iterator[str]:
    return (f"{name}.{verb}" for name, told in _TOLD.items() for verb in told.verbs)


def may_read(role: Role, event_type: str) -> bool:
    """Whether the role is shown events of this type; of a type that there is no more, only admins are."""
    told = _TOLD.get(event_type.partition(".")[0])
    return role == "admin" or (told is not None and allows(role, told.read_by))


def readable(role: Role) -> Sql | None:
    """The same of rows that have an `event_type`, as a condition; None where the role is shown all of them."""
    if role == "admin":
        return None
    names = [name for name, told in _TOLD.items() if allows(role, told.read_by)]
    return Sql.of("split_part(event_type, '.', 1) = any(?::text[])", names)


def check_event_type(named: str, field: str) -> None:
    """Refuses what no event can ever have; the message lists what they have."""
    known = event_types()
    if named == ALL or named in known or named in {f"{name}.*" for name in _TOLD}:
        return
    message = f"must be *, a resource like instrument.*, or one of {', '.join(known)}; got {seen(named)}"
    raise Invalid(FieldError(field, "unknown_event_type", message))


def matches(event_type: str, named: Collection[str]) -> bool:
    """Whether one of the subscriptions `named` is to this type."""
    return ALL in named or event_type in named or f"{event_type.partition('.')[0]}.*" in named
