"""A record as a row of a file: the columns that exports write and imports read, in a fixed order.

A reference stands twice, as UUID (`instrument_id`) and as identifier (`instrument`); one to the schema, which is
recreated rather than restored, as identifier alone (`type_id`). A record without identifier is named by its natural
key: a suspension carries `instrument` and `market` beside `listing_id`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Field, Items, Json, Reference, TypeValues
from ptolemy.engine.fields.type_values import Definitions, definitions
from ptolemy.engine.resource import ID, Resource, times
from ptolemy.kernel.json import decode_exact, encode_canonical


@dataclass(frozen=True)
class Name:
    """An identifier that stands in a file for, or beside, a reference."""

    column: str
    path: tuple[Reference, ...]
    """From the record to the one whose identifier it is: a suspension's market is `listing_id`, `market_id`."""

    @property
    def reference(self) -> Reference:
        return self.path[0]


Column = Field[Any] | Name


@dataclass(frozen=True)
class Interchange:
    """The file form of one resource."""

    resource: type[Resource]
    with_schema: bool = False
    """The file goes along with the schema and its ids: what refers to the schema does so by UUID alone."""

    @cached_property
    def columns(self) -> Sequence[Column]:
        found: list[Column] = [ID]
        for of in self.resource.fields.values():
            if not isinstance(of, Reference):
                found.append(of)
            elif of.target.is_schema:
                found.append(of if self.with_schema else Name(of.name, (of,)))
            else:
                found += [of, *_names(of)]
        return [*found, *times(self.resource).values()]

    @cached_property
    def names(self) -> list[Name]:
        return [column for column in self.columns if isinstance(column, Name)]

    @cached_property
    def custom(self) -> TypeValues | None:
        """The custom fields or the items of the resource, if it has any."""
        return next((of for of in self.resource.fields.values() if isinstance(of, TypeValues)), None)

    @property
    def prefix(self) -> str:
        """What stands before the key of a custom field in a CSV header."""
        return "item." if isinstance(self.custom, Items) else "field."

    @property
    def series_kind(self) -> str | None:
        """The kind of series whose values these are."""
        if self.custom is None or "kind" not in self.custom.type.target.fields:
            return None
        return "composite" if isinstance(self.custom, Items) else "scalar"


def column_name(column: Column) -> str:
    return column.column if isinstance(column, Name) else column.name


def _names(reference: Reference) -> Iterable[Name]:
    if reference.target.named_by:
        return [Name(reference.token, (reference,))]
    return [Name(key.token, (reference, key)) for key in reference.target.natural_key()]


@dataclass(frozen=True)
class CustomFields:
    """The custom fields of all types of a resource, as files need them."""

    by_type: Mapping[UUID, Definitions]
    keys: Sequence[str]
    """Over all types, by the type's identifier, then in `display_order`: the columns of a CSV file."""

    def ordered(self, type_id: UUID, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values in `display_order`, then by key."""
        known = self.by_type.get(type_id, Definitions()).active
        first = [key for key in known if key in values]
        return {key: values[key] for key in [*first, *sorted(values.keys() - set(first))]}

    def is_text(self, type_id: UUID, key: str) -> bool:
        known = self.by_type.get(type_id, Definitions())
        definition = known.active.get(key) or known.archived.get(key)
        return definition is None or definition["data_type"] == "text"


async def custom_fields(tx: Transaction, interchange: Interchange) -> CustomFields:
    """What all types of the workspace define for this resource."""
    custom = interchange.custom
    if custom is None:
        return CustomFields({}, ())
    kind = interchange.series_kind
    statement = Sql(
        f"select id from {custom.type.target.table}"
        f" where workspace_id = ?{' and kind = ?' if kind else ''} order by identifier, id",
        (tx.workspace_id, *([kind] if kind else [])),
    )
    types = [row["id"] for row in await tx.rows(statement)]
    by_type = await definitions(tx, custom.defined_by, set(types))
    keys: dict[str, None] = {}
    for part in ("active", "archived"):
        for type_id in types:
            keys |= dict.fromkeys(getattr(by_type[type_id], part))
    return CustomFields(by_type, list(keys))


def json_value(of: Field[Any], stored: Any) -> Any:
    """A stored value as a JSON file carries it; equal data gives equal bytes."""
    if stored is None:
        return None
    if isinstance(of, Json):
        return msgspec.Raw(encode_canonical(decode_exact(stored)))
    return of.show(stored)


def cell_value(of: Field[Any], stored: Any) -> str | None:
    """A stored value as a CSV file carries it, before it is guarded."""
    if stored is None:
        return None
    if isinstance(of, Json):
        return encode_canonical(decode_exact(stored)).decode()
    shown = of.show(stored)
    return str(shown).lower() if isinstance(shown, bool) else str(shown)
