"""Custom fields: values whose keys and kinds a type record defines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import msgspec

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.fields.boolean import Boolean
from ptolemy.engine.fields.date import Date
from ptolemy.engine.fields.field import Field, JsonSchema
from ptolemy.engine.fields.number import Number
from ptolemy.engine.fields.reference import Reference
from ptolemy.engine.fields.text import Text
from ptolemy.kernel.json import decode_exact, encode

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource
    from ptolemy.engine.write import Write

Values = dict[str, str | None]

KINDS: Mapping[str, Field[Any]] = {
    "text": Text(max_length=10_000),
    "number": Number(),
    "date": Date(),
    "boolean": Boolean(),
}
"""What each `data_type` accepts: the same kinds that built-in fields are made of."""

_VALUE: JsonSchema = {"type": ["string", "number", "boolean", "null"]}


def canonical(data_type: str, value: Any) -> str:
    """A value of a custom field as it is stored and answered: always text. A `ValueError` says why it is none."""
    kind = KINDS[data_type]
    accepted = kind.accept(value)
    return str(accepted).lower() if data_type == "boolean" else str(kind.show(accepted))


@dataclass(frozen=True)
class Definitions:
    """The fields of one type, by key."""

    active: dict[str, Row] = field(default_factory=dict)
    archived: dict[str, Row] = field(default_factory=dict)


class TypeValues(Field[Values]):
    """`{field_key: value}` of one type: sent values are merged into the stored ones, missing ones get their defaults.

    A null clears the value. Where the field is required and may be null, the null itself is kept. A key that is
    required may be missing in a record from before the field was made; the default comes with the next write.
    """

    column_type = "jsonb"
    fault = "invalid_field_values"
    sent: ClassVar[JsonSchema] = {"type": "object", "additionalProperties": _VALUE}
    shown: ClassVar[JsonSchema] = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
    operators = frozenset()
    series_kind: ClassVar[str] = "scalar"
    """The kind of series that may define it, where a series does."""

    def __init__(self, *, of: Reference, defined_by: type[Resource], shown_as: str | None = None) -> None:
        super().__init__(required=True, default={})
        self.type, self.defined_by, self._shown_as = of, defined_by, shown_as

    @property
    def shown_as(self) -> str:
        return self._shown_as or self.name

    def accept(self, value: Any) -> Values:
        # Only the shape is known here; `resolve` knows the type and checks each value.
        if not isinstance(value, dict):
            raise ValueError("must be an object of field keys and values")
        return value

    def store(self, value: Values) -> str:
        return encode(value).decode()

    def load(self, stored: Any) -> Values:
        loaded: Values = decode_exact(stored)
        return loaded

    def show(self, stored: Any) -> Any:
        return msgspec.Raw(stored.encode())

    async def resolve(self, tx: Transaction, writes: Sequence[Write]) -> None:
        types = {write.new[self.type.name] for write in writes if isinstance(write.new.get(self.type.name), UUID)}
        defined = await definitions(tx, self.defined_by, types)
        for write in writes:
            type_id = write.new[self.type.name]
            kind = write.parents[self.type.name].get("kind") if isinstance(type_id, UUID) else None
            if not isinstance(type_id, UUID) or kind not in (None, self.series_kind):
                write.new[self.name] = {}  # the type is refused, here or by `check`: nothing can be said of its fields
                continue
            known, stored = defined[type_id], {} if write.whole else write.was(self) or {}
            write.new[self.name] = self._merged(write, known, stored, write.sent.get(self.name) or {})

    def _merged(self, write: Write, known: Definitions, stored: Values, sent: Mapping[str, Any]) -> Values:
        merged: Values = {}
        moved = write.old is not None and write.new[self.type.name] != write.old[self.type.name]
        for key in stored:
            # A value stays when its field was archived later; another type has to know the key, or it is cleared.
            if key not in known.active and (not moved or key in known.archived):
                merged[key] = stored[key]
            elif key not in known.active and key not in sent:
                self._refuse(write, key, "unknown_field", "the new type has no such field: send null to clear it")
        for key, value in sent.items():
            self._take(write, known, merged, stored, key, value)
        for key, definition in known.active.items():
            if key in sent:
                continue
            if key in stored:
                self._take(write, known, merged, stored, key, stored[key])
            elif not write.recorded:
                self._complete(write, merged, definition)
        return merged

    def _take(self, write: Write, known: Definitions, merged: Values, stored: Values, key: str, value: Any) -> None:
        definition = known.active.get(key) or (known.archived.get(key) if write.recorded else None)
        if definition is None:
            if value is None and (key in stored or write.recorded):
                merged.pop(key, None)
                return
            self._refuse(write, key, "unknown_field", "the type has no such field")
        elif value is None:
            self._clear(write, merged, definition)
        else:
            try:
                merged[key] = canonical(definition["data_type"], value)
            except ValueError as reason:
                self._refuse(write, key, KINDS[definition["data_type"]].fault, str(reason))

    def _clear(self, write: Write, merged: Values, definition: Row) -> None:
        key, required, may_be_null = definition["field_key"], definition["is_required"], definition["allow_null"]
        if may_be_null and (required or definition["has_default"]):
            merged[key] = None  # a missing one would get the default with the next write
        elif not may_be_null and not write.recorded:
            code = "required" if required else "null_not_allowed"
            self._refuse(write, key, code, "is required by the type and can't be null" if required else "can't be null")

    def _complete(self, write: Write, merged: Values, definition: Row) -> None:
        if definition["has_default"]:
            if definition["default_value"] is not None or definition["is_required"]:
                merged[definition["field_key"]] = definition["default_value"]
        elif definition["field_key"] in write.blank and definition["is_required"] and definition["allow_null"]:
            merged[definition["field_key"]] = None
        elif definition["is_required"] and write.verb != "restored":
            self._refuse(write, definition["field_key"], "required", "is required by the type")

    def _refuse(self, write: Write, key: str, code: str, message: str) -> None:
        write.refuse_field(f"{self.name}.{key}", code, message)


async def definitions(tx: Transaction, defined_by: type[Resource], types: set[UUID]) -> dict[UUID, Definitions]:
    """The custom fields of types, each type's in `display_order`, then by key."""
    found = {type_id: Definitions() for type_id in types}
    if not types:
        return found
    statement = Sql.of(
        f"select type_id, field_key, data_type, is_required, has_default, default_value, allow_null, archived_at"
        f" from {defined_by.table}"
        " where workspace_id = ? and type_id = any(?)"
        " order by display_order, field_key, archived_at desc",
        tx.workspace_id,
        list(types),
    )
    for row in await tx.rows(statement):
        known = found[row["type_id"]]
        (known.active if row["archived_at"] is None else known.archived)[row["field_key"]] = row
    return found
