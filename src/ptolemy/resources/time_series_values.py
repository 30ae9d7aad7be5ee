from typing import ClassVar

from ptolemy.database.transaction import Row
from ptolemy.engine.fields import Items, Number, Reference, Timestamp, TypeValues
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write
from ptolemy.kernel.json import decode_exact
from ptolemy.resources.instruments import Instruments
from ptolemy.resources.type_fields import TimeSeriesTypeFields
from ptolemy.resources.types import Series


class Values(Resource):
    """What an instrument has in a series at an instant; none of the three ever changes."""

    lifecycle = Lifecycle(archive=True, hard_delete=False)
    counted = True
    by_the_million = True
    kind: ClassVar[str]

    instrument_id = Reference(Instruments, when_deleted="refuse", enforced=False, required=True, fixed=True)
    type_id = Reference(Series, when_deleted="refuse", enforced=False, required=True, fixed=True)
    timestamp = Timestamp(required=True, fixed=True)

    unique = [Unique(instrument_id, type_id, timestamp)]

    def check(self, write: Write) -> None:
        """Scalar values belong to scalar series, composite values to composite ones."""
        series = write.parent(self.type_id)
        if series is not None and series["kind"] != self.kind:
            message = f"must be a {self.kind} series, {series['identifier']} is {series['kind']}"
            write.refuse_field(self.type_id.name, "wrong_series_kind", message)


class TimeSeriesValues(Values):
    """One number of one instrument in one series at one instant."""

    singular = "time_series_value"
    collection = "time-series-values"
    kind = "scalar"

    value = Number(required=True)
    field_values = TypeValues(of=Values.type_id, defined_by=TimeSeriesTypeFields)


class CompositeTimeSeriesValues(Values):
    """Several items of one instrument in one series at one instant: an OHLCV bar."""

    singular = "composite_time_series_value"
    collection = "composite-time-series-values"
    kind = "composite"

    items = Items(of=Values.type_id, defined_by=TimeSeriesTypeFields)

    def items_in(self, row: Row) -> dict[str, int]:
        """The value and each of its items count."""
        return {self.table: 1, "composite_time_series_value_items": len(decode_exact(row["items"]))}
