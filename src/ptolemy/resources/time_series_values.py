from ptolemy.database.transaction import Row
from ptolemy.engine.fields import Items, Number, Reference, Timestamp, TypeValues
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write
from ptolemy.kernel.json import decode_exact
from ptolemy.resources.instruments import Instruments
from ptolemy.resources.type_fields import TimeSeriesTypeFields
from ptolemy.resources.types import Series, check_kind


class TimeSeriesValues(Resource):
    """One number of one instrument in one series at one instant."""

    singular = "time_series_value"
    collection = "time-series-values"
    lifecycle = Lifecycle(archive=True, hard_delete=False)
    counted = True
    by_the_million = True

    instrument_id = Reference(Instruments, when_deleted="refuse", enforced=False, required=True, fixed=True)
    type_id = Reference(Series, when_deleted="refuse", enforced=False, required=True, fixed=True)
    timestamp = Timestamp(required=True, fixed=True)
    value = Number(required=True)
    field_values = TypeValues(of=type_id, defined_by=TimeSeriesTypeFields)

    unique = [Unique(instrument_id, type_id, timestamp)]

    def check(self, write: Write) -> None:
        check_kind(write, self.type_id.name, "scalar")


class CompositeTimeSeriesValues(Resource):
    """Several items of one instrument in one series at one instant: an OHLCV bar."""

    singular = "composite_time_series_value"
    collection = "composite-time-series-values"
    lifecycle = Lifecycle(archive=True, hard_delete=False)
    counted = True
    by_the_million = True

    instrument_id = Reference(Instruments, when_deleted="refuse", enforced=False, required=True, fixed=True)
    type_id = Reference(Series, when_deleted="refuse", enforced=False, required=True, fixed=True)
    timestamp = Timestamp(required=True, fixed=True)
    items = Items(of=type_id, defined_by=TimeSeriesTypeFields)

    unique = [Unique(instrument_id, type_id, timestamp)]

    def check(self, write: Write) -> None:
        check_kind(write, self.type_id.name, "composite")

    def items_in(self, row: Row) -> dict[str, int]:
        """The value and each of its items count."""
        return {self.table: 1, "composite_time_series_value_items": len(decode_exact(row["items"]))}
