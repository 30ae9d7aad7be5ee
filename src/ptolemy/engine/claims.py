"""Which writes may be stored together, and come to the same as if they were stored one after the other."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from ptolemy.engine.fields import Field, Reference
from ptolemy.engine.resource import Resource
from ptolemy.engine.write import Write

Claim = tuple[Hashable, ...]


def in_turn(resource: Resource, writes: Sequence[Write]) -> Iterator[list[Write]]:
    """The writes in parts, in their order: a change that wants, or lets go of, what another wants comes apart from it.

    New records may stand in each other's way: of those that are stored together, the first gets what they want.
    """
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
    """What a new record would be alone in having, and what a change takes or lets go.

    Of references nothing is said, since they aren't resolved yet: so it may claim more than it wants.
    """
    if write.old is not None and not _takes_or_lets_go(resource, write):
        return set()
    fields = [[of for of in rule.fields if not isinstance(of, Reference)] for rule in resource.unique]
    if resource.no_overlap:
        fields.append([])
    states = [] if write.archived_at else [[tuple(map(write.get, each)) for each in fields]]
    if write.old is not None and write.old.get("archived_at") is None:
        states.append([tuple(map(write.was, each)) for each in fields])
    return {(n, *values) for state in states for n, values in enumerate(state)}


def _takes_or_lets_go(resource: Resource, write: Write) -> bool:
    """Whether a change is one of what is unique, only among the active, or may not overlap."""
    fields = [of for rule in resource.unique for of in rule.fields if not of.fixed]
    if period := resource.no_overlap:
        fields += [period.of, period.start, period.end]
    archives = write.old is not None and resource.lifecycle.archive and write.archived_at != write.old["archived_at"]
    return archives or any(_moves(write, of) for of in fields)


def _moves(write: Write, of: Field[object]) -> bool:
    """Whether the field changes, as far as is known: a reference that isn't resolved yet may be a UUID in words."""
    return write.changed(of) and str(write.get(of)) != str(write.was(of))
