"""What conditions and sorts speak of: the columns of a resource, and the custom fields of its types."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Field
from ptolemy.engine.filters.custom import PREFIX, CustomField, custom_fields, custom_values, expression
from ptolemy.engine.resource import Resource, columns


@dataclass(frozen=True)
class Subject:
    """Something that records are compared by."""

    name: str
    field: Field[Any]
    """The kind that takes values for it."""
    sql: str
    may_be_null: bool
    custom: CustomField | None = None

    @property
    def is_sortable(self) -> bool:
        return "eq" in self.field.operators


class Subjects:
    """What one query may speak of."""

    def __init__(self, resource: type[Resource], custom: dict[str, CustomField]) -> None:
        values = custom_values(resource)
        self._known = own_subjects(resource)
        self.has_custom = values is not None
        for name, of in custom.items():
            sql = expression(of.column, of.key, of.data_type)
            self._known[name] = Subject(name, of.kind, sql, may_be_null=True, custom=of)

    def find(self, name: str) -> Subject | None:
        return self._known.get(name)

    def warnings(self) -> list[str]:
        return [
            f"{name} has different data types in different types: it is compared as text"
            for name, subject in self._known.items()
            if subject.custom and subject.custom.is_mixed
        ]

    def missing(self, name: str, *, sortable: bool = False) -> str:
        """Why there is no such subject, for users."""
        if self.has_custom and name.startswith(PREFIX):
            return f"no type has a field {name.removeprefix(PREFIX)!r}"
        names = [known for known, subject in self._known.items() if not subject.custom]
        if sortable:
            names = [known for known in names if self._known[known].is_sortable]
        return f"{name!r} is not one of {', '.join([*names, *([f'{PREFIX}<key>'] if self.has_custom else [])])}"


async def find_subjects(tx: Transaction, resource: type[Resource], names: Collection[str]) -> Subjects:
    """The columns of the resource, and those of the names that are custom fields."""
    values = custom_values(resource)
    return Subjects(resource, await custom_fields(tx, resource, values, names) if values else {})


def own_subjects(resource: type[Resource]) -> dict[str, Subject]:
    """The columns of a resource that a filter may name."""
    return {
        name: Subject(name, of, name, not of.required)
        for name, of in columns(resource).items()
        if of.operators | of.special_operators
    }


def ordering_subject(resource: type[Resource], column: str) -> Subject:
    """A column of the resource's own order."""
    return Subject(column, columns(resource).get(column) or _Plain(), column, may_be_null=False)


class _Plain(Field[Any]):
    """A column that no answer shows, as the driver gives it."""

    def accept(self, value: Any) -> Any:
        return value

    def show(self, stored: Any) -> Any:
        return str(stored) if isinstance(stored, UUID) else stored
