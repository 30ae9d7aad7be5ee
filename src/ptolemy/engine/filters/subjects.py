"""What conditions and sorts speak of: the columns of a resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ptolemy.engine.fields import Field
from ptolemy.engine.fields.field import SAME
from ptolemy.engine.resource import Resource, columns


@dataclass(frozen=True)
class Subject:
    """Something that records are compared by."""

    name: str
    field: Field[Any]
    """The kind that takes values for it."""
    sql: str
    may_be_null: bool

    @property
    def is_sortable(self) -> bool:
        return bool(self.field.operators & (SAME - {"is_null"}))


def own_subjects(resource: type[Resource]) -> dict[str, Subject]:
    """The columns of a resource that a filter may name."""
    return {
        name: Subject(name, of, name, not of.required)
        for name, of in columns(resource).items()
        if of.operators | of.special_operators
    }


class _Plain(Field[Any]):
    """A column that no answer shows, as the driver gives it."""

    def accept(self, value: Any) -> Any:
        return value

    def show(self, stored: Any) -> Any:
        return str(stored) if isinstance(stored, UUID) else stored


def ordering_subject(resource: type[Resource], column: str) -> Subject:
    """A column of the resource's own order."""
    return Subject(column, columns(resource).get(column) or _Plain(), column, may_be_null=False)
