"""What names the record that a row of an upsert changes: its id, an identifier, a custom field, or its natural key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.fields import Field, Items, Reference, TypeValues
from ptolemy.engine.fields.type_values import canonical
from ptolemy.engine.interchange import CustomFields, Interchange, custom_fields
from ptolemy.engine.resource import ID, Resource
from ptolemy.imports.rows import RowReader, Taken
from ptolemy.kernel.problems import FieldError, Invalid, Problem

KEY = "key"
"""The fields that are unique together: the pair, the instant."""

Value = Any
"""What a row is found by; hashable, and None where the row doesn't say."""
Found = Row | Problem | None


class RowKey:
    """How the rows of one import name records. Only active records have a name other than their id."""

    def __init__(self, resource: Resource, column: str, reader: RowReader) -> None:
        """Raises `Invalid` for a column that can name no record of the resource."""
        offered = offered_keys(type(resource))
        field = column.startswith("field.") and "field.<key>" in offered
        if column not in offered and not field:
            message = f"must be one of {', '.join(offered)} for {resource.table}"
            raise Invalid(FieldError("identifier_column", "unknown_identifier_column", message))
        self._resource, self._reader, self.column = resource, reader, column
        self._custom: CustomFields | None = None

    @property
    def names_all_that_is_unique(self) -> bool:
        """Whether records of other names can't stand in each other's way, but for their ids."""
        if self.column == ID.name or self._custom is not None or self._resource.no_overlap:
            return False
        return all(rule.fields == self._fields for rule in self._resource.unique)

    async def prepare(self, tx: Transaction) -> None:
        """Reads what the types define; raises `Invalid` where none has the field that rows are to be found by."""
        if not self.column.startswith("field."):
            return
        self._custom = await custom_fields(tx, Interchange(type(self._resource)))
        if self._field_key not in self._custom.keys:
            message = f"no type of {self._resource.table} has a field {self._field_key!r}"
            raise Invalid(FieldError("identifier_column", "unknown_identifier_column", message))

    def missing_from(self, columns: Sequence[str]) -> bool:
        """Whether a header lacks the column, so that no row could name a record."""
        return self.column != KEY and self.column not in columns

    async def values(self, tx: Transaction, rows: Sequence[Taken]) -> list[Value]:
        """What each row is found by; None where it stands for a new record, or doesn't say, which is an error of it."""
        if self.column == ID.name:
            found = [taken.kept.get(ID.name) for taken in rows]
        elif self._custom is not None:
            found = [self._field_value(taken) for taken in rows]
        else:
            found = await self._tuples(tx, rows)
        for place, taken in enumerate(rows):
            if self.column != ID.name and taken.kept.get("archived_at") is not None:
                found[place] = None
            elif found[place] is None and not taken.errors:
                names = " and ".join(of.name for of in self._fields) if self.column == KEY else self.column
                taken.errors.append(FieldError(self.column, "required", f"must be there: rows are found by {names}"))
        return found

    async def records(self, tx: Transaction, values: Sequence[Value]) -> list[Found]:
        """The record that each value names, locked for a change; a problem where it names several."""
        asked = list({value: None for value in values if value is not None})
        by_value: dict[Value, list[Row]] = defaultdict(list)
        for value, row in await self._locked(tx, asked) if asked else ():
            by_value[value].append(row)
        return [self._only(by_value[value]) if value in by_value else None for value in values]

    def _only(self, rows: Sequence[Row]) -> Row | Problem:
        if len(rows) == 1:
            return rows[0]
        named = f"{len(rows)} active {self._resource.table.replace('_', ' ')} have this value: it names none of them"
        return Invalid(FieldError(self.column, "ambiguous_key", named))

    async def _locked(self, tx: Transaction, asked: list[Value]) -> Iterable[tuple[Value, Row]]:
        if self.column == ID.name:
            return [(row["id"], row) for row in await self._select(tx, Sql.of("id = any(?::uuid[])", asked))]
        if self._custom is not None:
            of = self._values
            rows = await self._select(tx, Sql.of(f"{of.name} ->> ? = any(?::text[])", self._field_key, asked))
            return [(of.load(row[of.name])[self._field_key], row) for row in rows]
        names = [of.name for of in self._fields]
        arrays = [f"?::{of.column_type.removesuffix(' collate pg_c_utf8')}[]" for of in self._fields]
        columns = tuple(list(column) for column in zip(*asked, strict=True))
        if len(names) == 1:
            wanted = Sql(f"{names[0]} = any({arrays[0]})", columns)
        else:
            wanted = Sql(f"({', '.join(names)}) in (select * from unnest({', '.join(arrays)}))", columns)
        return [(tuple(row[name] for name in names), row) for row in await self._select(tx, wanted)]

    async def _select(self, tx: Transaction, wanted: Sql) -> list[Row]:
        """In order of id, as everywhere, so that two writers never wait for each other."""
        by_name = self._resource.lifecycle.archive and self.column != ID.name
        statement = (
            f"select * from {self._resource.table} where workspace_id = ? and {wanted.text}"
            f"{' and archived_at is null' if by_name else ''} order by id for no key update"
        )
        return await tx.rows(Sql(statement, (tx.workspace_id, *wanted.args)))

    @property
    def _fields(self) -> tuple[Field[Any], ...]:
        if self.column != KEY:
            return (self._resource.fields[self.column],)
        return key_fields(type(self._resource))

    @property
    def _field_key(self) -> str:
        return self.column.removeprefix("field.")

    @property
    def _values(self) -> TypeValues:
        custom = Interchange(type(self._resource)).custom
        assert custom is not None  # noqa: S101 - the column was offered
        return custom

    async def _tuples(self, tx: Transaction, rows: Sequence[Taken]) -> list[Value]:
        """The values of all key fields of each row, references resolved; None where one is missing or unknown."""
        # By writes of their own: what a creation may not do, a change may.
        writes = [self._reader.creation(taken) for taken in rows]
        for of in self._fields:
            if isinstance(of, Reference):
                await of.resolve(tx, writes)
        found: list[Value] = []
        for taken, write in zip(rows, writes, strict=True):
            value = tuple(
                write.new[of.name] if not isinstance(of, Reference) or of.name in write.parents else None
                for of in self._fields
            )
            if None in value:
                taken.errors += write.errors[len(taken.errors) :]
            found.append(None if None in value else value)
        return found

    def _field_value(self, taken: Taken) -> Value:
        nested = taken.sent.get(self._values.name)
        value = (nested if isinstance(nested, Mapping) else taken.custom).get(self._field_key)
        for data_type in self._data_types if value is not None else ():
            try:
                return canonical(data_type, value)
            except ValueError:
                continue
        return None if value is None else str(value)

    @property
    def _data_types(self) -> list[str]:
        assert self._custom is not None  # noqa: S101 - prepared
        found: dict[str, None] = {}
        for definitions in self._custom.by_type.values():
            if definition := definitions.active.get(self._field_key):
                found[definition["data_type"]] = None
        return list(found)


def offered_keys(resource: type[Resource]) -> list[str]:
    """What `identifier_column` may be."""
    found = [ID.name]
    name = resource.named_by
    if name and any(rule.names == (name,) for rule in resource.unique):
        found.append(name)
    if key_fields(resource):
        found.append(KEY)
    custom = Interchange(resource).custom
    if custom and not isinstance(custom, Items) and not resource.by_the_million:
        found.append("field.<key>")
    return found


def key_fields(resource: type[Resource]) -> tuple[Field[Any], ...]:
    """The fields by which a record is known: those that are unique together, else where its period begins."""
    for rule in resource.unique:
        return rule.fields
    if period := resource.no_overlap:
        return (period.of, period.start)
    return ()
