"""Every type of event there is, and what a subscription may name: one, all of a resource, or all."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ptolemy.catalogue import RESOURCES
from ptolemy.engine.resource import Resource
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.quoting import seen

ALL = "*"

_JOBS = ("import", "export", "backup", "rehearsal", "restore")

_BESIDE_RESOURCES = (
    *(f"{job}.{status}" for job in _JOBS for status in ("completed", "failed", "cancelled")),
    *(f"backup.{verb}" for verb in ("verification_failed", "overdue", "pruned", "prune_refused")),
    *(f"backup_policy.{verb}" for verb in ("created", "updated", "deleted")),
    *(f"membership.{verb}" for verb in ("created", "updated", "deleted")),
    *(f"invitation.{verb}" for verb in ("created", "accepted", "deleted")),
    "plan.overage_started",
    "token.created",
    "token.updated",
    "token.deleted",
    "workspace.created",
    "workspace.updated",
    *(f"webhook.{verb}" for verb in ("created", "updated", "deleted", "deactivated", "secret_rotated", "tested")),
)


def event_types() -> list[str]:
    """All types, in order."""
    return sorted({*_BESIDE_RESOURCES, *(each for resource in RESOURCES for each in _of(resource))})


def _of(resource: Resource) -> Iterator[str]:
    verbs = ["created", *([] if resource.immutable else ["updated"])]
    if resource.lifecycle.archive:
        verbs += ["archived", "restored"]
    if resource.lifecycle.hard_delete or resource.by_the_million:
        verbs.append("deleted")
    if resource.by_the_million:
        verbs.append("batch_written")
    return (f"{resource.singular}.{verb}" for verb in verbs)


def check_event_type(named: str, field: str) -> None:
    """Refuses what no event can ever have; the message lists what they have."""
    known = event_types()
    if named == ALL or named in known or named in {f"{each.partition('.')[0]}.*" for each in known}:
        return
    message = f"must be *, a resource like instrument.*, or one of {', '.join(known)}; got {seen(named)}"
    raise Invalid(FieldError(field, "unknown_event_type", message))


def matches(event_type: str, named: Collection[str]) -> bool:
    """Whether one of the subscriptions `named` is to this type."""
    return ALL in named or event_type in named or f"{event_type.partition('.')[0]}.*" in named
