"""The statements that find records: on their table, or through their keys where a condition or the sort needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ptolemy.database.sql import Sql, every
from ptolemy.database.transaction import Row
from ptolemy.engine.custom_field_indexes import Use
from ptolemy.engine.filters import Compiled
from ptolemy.engine.filters.custom import CustomField, custom_values
from ptolemy.engine.keyset import Key, Segment, order_by
from ptolemy.engine.resource import Resource
from ptolemy.engine.tables import has_keys, keys_view


@dataclass(frozen=True)
class Wanted:
    """Which records a query asks for."""

    conditions: Sequence[Sql]
    compiled: Compiled
    words: Sql | None


class Selection:
    """One query on one resource."""

    def __init__(self, workspace_id: UUID, resource: type[Resource], wanted: Wanted, keys: Sequence[Key]) -> None:
        self._workspace_id, self._resource, self._wanted, self._keys = workspace_id, resource, wanted, keys
        self._names = [f"sort_{place}" if key.subject.custom else key.subject.name for place, key in enumerate(keys)]
        custom = wanted.compiled.custom or any(key.subject.custom for key in keys)
        self._through_keys = has_keys(resource) and bool(custom or wanted.words)

    def of(self, segment: Segment, count: int) -> Sql:
        found = self._found(segment)
        by = order_by(segment, [key.subject.sql for key in segment.keys])
        if not self._through_keys:
            shown = self._resource.selected("found", self._workspace_id)
            text = f"select {shown.text} from {found.text} order by {by} limit {count}"
            return Sql(text, (*shown.args, *found.args))
        shown = self._resource.selected("t", self._workspace_id)
        picked = ", ".join(
            f"{key.subject.sql} as {name}" for key, name in zip(self._keys, self._names, strict=True) if name != "id"
        )
        again = order_by(segment, [f"k.{self._names[self._keys.index(key)]}" for key in segment.keys])
        custom = [f", k.{name}" for key, name in zip(self._keys, self._names, strict=True) if key.subject.custom]
        return Sql(
            f"select {shown.text}{''.join(custom)}"
            f" from (select id{', ' if picked else ''}{picked} from {found.text} order by {by} limit {count}) k"
            f" join {self._resource.table} t on t.workspace_id = ? and t.id = k.id"
            f" order by {again}",
            (*shown.args, *found.args, self._workspace_id),
        )

    def count(self) -> Sql:
        found = self._found(None)
        return Sql(f"select count(*) from {found.text}", found.args)

    def position(self, row: Row) -> list[Any]:
        """Where a row is in the order, as JSON."""
        stored = [row[name] for name in self._names]
        return [
            None if value is None else key.subject.field.show(value)
            for key, value in zip(self._keys, stored, strict=True)
        ]

    def helpful_indexes(self) -> list[Use]:
        """The indexes of custom fields that serve the query, or would."""
        lead = self._keys[0].subject.custom if self._keys else None
        type_id = self._wanted.compiled.type_id or _only(lead)
        named = {of.key: of for of in [*self._wanted.compiled.ranged, *([lead] if lead else [])]}
        return [Use(type_id, of) for of in named.values() if type_id in of.types] if type_id else []

    def _found(self, segment: Segment | None) -> Sql:
        """What to select from, as `found`, with its conditions."""
        conditions = [*self._wanted.conditions, *([segment.where] if segment else []), *self._literals(segment)]
        source = keys_view(self._resource) if self._through_keys else self._resource.table
        if self._wanted.words is None:
            wanted = every(conditions)
            return Sql(f"{source} found where {wanted.text}", wanted.args)
        wanted = every([*conditions, self._wanted.words])
        # The order must not matter to how words are found: to walk it until enough records have a rare word takes as
        # long as to read them all.
        return Sql(f"(select * from {source} where {wanted.text} offset 0) found", wanted.args)

    def _literals(self, segment: Segment | None) -> list[Sql]:
        """The workspace and the type as the partial indexes of custom fields have them: no parameter would do."""
        type_id = self._wanted.compiled.type_id
        spoken = list(self._wanted.compiled.custom)
        if segment and segment.holds and segment.holds.custom:
            spoken.append(segment.holds.custom)
            type_id = type_id or _only(segment.holds.custom)
        elif self._keys and self._keys[0].subject.custom:
            spoken.append(self._keys[0].subject.custom)
        values = custom_values(self._resource)
        if values is None or type_id is None or not any(of.is_indexed(type_id) for of in spoken):
            return []
        return [Sql(f"workspace_id = '{self._workspace_id}' and {values.type.name} = '{type_id}'")]


def _only(of: CustomField | None) -> UUID | None:
    return next(iter(of.types)) if of is not None and len(of.types) == 1 else None
