"""The records of a batch: checked in one pass, and what is wrong with them told all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ptolemy.engine.fields import Field
from ptolemy.engine.resource import Resource
from ptolemy.kernel.problems import Conflict, FieldError, Invalid

NAMED_AT_MOST = 100
"""Faults that one answer names: whoever meets more has one reason for most of them."""

Sent = dict[str, Any]


class Faults:
    """What is wrong with which records: a value makes the whole batch a 422, a state alone makes it a 409."""

    def __init__(self) -> None:
        self._values: list[tuple[int, FieldError]] = []
        self._states: list[tuple[int, FieldError]] = []

    def refuse(self, place: int, errors: Iterable[FieldError]) -> None:
        """Bad values of the record at `place`."""
        self._values += [(place, _at(place, error)) for error in errors]

    def forbid(self, place: int, errors: Iterable[FieldError]) -> None:
        """What is in the way of the record at `place`, fine as it is by itself."""
        self._states += [(place, _at(place, error)) for error in errors]

    def settle(self) -> None:
        """Raises the problem that names the faults in the order of the records, if there are any."""
        if not self._values and not self._states:
            return
        found = sorted([*self._values, *self._states], key=lambda fault: fault[0])
        named = tuple(error for _, error in found[:NAMED_AT_MOST])
        detail = _summary(len({place for place, _ in found}), len(found), named)
        if self._values:
            raise Invalid(*named, detail=detail)
        raise Conflict(named[0].code, detail, named)


def _at(place: int, error: FieldError) -> FieldError:
    return FieldError(f"data.{place}.{error.field}" if error.field else f"data.{place}", error.code, error.message)


def _summary(records: int, faults: int, named: Sequence[FieldError]) -> str:
    refused = f"{records:,} record{'' if records == 1 else 's'} can't be written, so none was"
    cut = f"; the first {NAMED_AT_MOST} of {faults:,} faults are named" if faults > NAMED_AT_MOST else ""
    return f"{refused}{cut}: {named[0].field}: {named[0].message}"


def accepted(resource: Resource, records: Sequence[Any], faults: Faults) -> list[Sent | None]:
    """What each record sends, as one POST of it would take it; None where a fault is noted.

    One pass, without a model: validating ten thousand records by models takes longer than storing them.
    """
    known: dict[str, Callable[[Any], Any]] = {}
    needed = []
    for name, of in resource.fields.items():
        if not of.derived:
            known[name] = _remembering(of)
            if of.required and of.default is None:
                needed.append(name)
    return [_accepted(resource, record, place, known, needed, faults) for place, record in enumerate(records)]


def _accepted(
    resource: Resource,
    record: Any,
    place: int,
    known: dict[str, Callable[[Any], Any]],
    needed: Sequence[str],
    faults: Faults,
) -> Sent | None:
    if not isinstance(record, dict):
        faults.refuse(place, [FieldError("", "invalid_object", "must be a JSON object")])
        return None
    sent: Sent = {}
    errors = [FieldError(name, "required", "is required") for name in needed if name not in record]
    for name, value in record.items():
        accept = known.get(name)
        if accept is None:
            errors.append(FieldError(name, "unknown_field", "is not known here"))
            continue
        try:
            sent[name] = accept(value)
        except ValueError as reason:
            errors.append(FieldError(name, resource.fields[name].fault, str(reason)))
    if errors:
        faults.refuse(place, errors)
        return None
    return sent


def _remembering(of: Field[Any]) -> Callable[[Any], Any]:
    """`of.accept`, which works a text out once: a batch says the same names and instants over and over."""
    worked_out: dict[str, Any] = {}

    def accept(value: Any) -> Any:
        if type(value) is not str:
            return None if value is None and not of.required else of.accept(value)
        try:
            return worked_out[value]
        except KeyError:
            found = worked_out[value] = of.accept(value)
            return found

    return accept
