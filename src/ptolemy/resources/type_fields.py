"""Custom fields of types, and the rules that keep them and the values in agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import AnyValue, Boolean, Choice, FieldKey, Integer, Reference, Text
from ptolemy.engine.fields.type_values import KINDS, canonical
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.usage import records_lacking, records_with
from ptolemy.engine.write import Write
from ptolemy.resources.types import InstrumentTypes, MarketTypes, Series


class TypeFields(Resource):
    """A custom field that every record of one type has."""

    lifecycle = Lifecycle(archive=True, hard_delete=True)
    write_role = "editor"
    is_schema = True
    one_writer = True

    type_id: ClassVar[Reference]
    field_key = FieldKey(required=True, searched=True)
    field_label = Text(searched=True)
    data_type = Choice(*KINDS, required=True)
    is_required = Boolean(required=True, default=False)
    has_default = Boolean(required=True, default=False)
    default_value = AnyValue()
    allow_null = Boolean(required=True, default=True)
    display_order = Integer(required=True, default=0)

    async def before_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        for write in writes:
            await self._agree_with_records(tx, write)

    def check(self, write: Write) -> None:
        """A default has to be a value of the field."""
        default, has_default = write.get(self.default_value), write.get(self.has_default)
        if default is None:
            if has_default and not write.get(self.allow_null):
                write.refuse_field(
                    "default_value", "required", "must be given: the field has a default and can't be null"
                )
            return
        if not has_default:
            write.refuse_field("has_default", "default_without_has_default", "must be true when default_value is given")
            return
        data_type = str(write.get(self.data_type))
        try:
            write.new["default_value"] = canonical(data_type, default)
        except ValueError as reason:
            write.refuse_field("default_value", KINDS[data_type].fault, str(reason))

    async def _agree_with_records(self, tx: Transaction, write: Write) -> None:
        """What records hold can't change its meaning, and a new duty needs a default to meet it with."""
        old = write.old
        moved = [of.name for of in (self.type_id, self.field_key, self.data_type) if write.changed(of)]
        if old is not None and moved and (users := await records_with(tx, self, old)):
            counts = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in users.items())
            write.refuse("field_in_use", f"{moved[0]} can't change while records hold values: {counts}", field=moved[0])
        await self._agree_with_archived(tx, write)
        demanding = write.get(self.is_required) and not write.get(self.has_default)
        demanded = old is not None and write.verb == "updated" and old["is_required"] and not old["has_default"]
        # One that comes back from a backup comes before the records of the backup, which have its values.
        if demanding and not demanded and not write.recorded and await records_lacking(tx, self, write.new):
            detail = "records of this type have no value for it: give it a default, or make it optional"
            write.refuse("required_without_default", detail, field="is_required")

    async def _agree_with_archived(self, tx: Transaction, write: Write) -> None:
        """A field that comes back, or a new one of its key, finds values that were written by another definition."""
        if write.verb == "updated" or write.recorded or not isinstance(write.new["type_id"], UUID):
            return
        statement = Sql.of(
            f"select data_type from {self.table}"
            " where workspace_id = ? and type_id = ? and field_key = ? and data_type <> ? and archived_at is not null"
            " limit 1",
            tx.workspace_id,
            write.new["type_id"],
            write.new["field_key"],
            write.new["data_type"],
        )
        if (before := await tx.value(statement)) and await records_with(tx, self, write.new):
            detail = f"records hold values of an archived field of this key, as {before}: clear them first"
            write.refuse("field_in_use", detail, field="data_type")


class InstrumentTypeFields(TypeFields):
    """A custom field of the instruments of one type."""

    singular = "instrument_type_field"
    collection = "instrument-type-fields"

    type_id = Reference(InstrumentTypes, when_deleted="cascade", required=True)

    unique = [Unique(type_id, TypeFields.field_key)]


class MarketTypeFields(TypeFields):
    """A custom field of the markets of one type."""

    singular = "market_type_field"
    collection = "market-type-fields"

    type_id = Reference(MarketTypes, when_deleted="cascade", required=True)

    unique = [Unique(type_id, TypeFields.field_key)]


class TimeSeriesTypeFields(TypeFields):
    """An item of a composite series, or a custom field of the values of a scalar one."""

    singular = "time_series_type_field"
    collection = "time-series-type-fields"

    type_id = Reference(Series, when_deleted="cascade", required=True)

    unique = [Unique(type_id, TypeFields.field_key)]
