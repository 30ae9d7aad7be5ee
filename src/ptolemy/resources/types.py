"""The types that define custom fields: of instruments, of markets, and series for values."""

from ptolemy.engine.fields import Choice, Identifier, Text
from ptolemy.engine.resource import Lifecycle, Resource, Unique


class RecordTypes(Resource):
    """A named kind of record; its fields are defined beside it."""

    lifecycle = Lifecycle(archive=True, hard_delete=True)
    write_role = "editor"
    is_schema = True

    identifier = Identifier(required=True, searched=True)
    name = Text(searched=True)
    description = Text(max_length=10_000)

    unique = [Unique(identifier)]


class InstrumentTypes(RecordTypes):
    """A kind of instrument: `equity`, `bond`, `fx`."""

    singular = "instrument_type"
    collection = "instrument-types"


class MarketTypes(RecordTypes):
    """A kind of market: `exchange`, `otc`, `dark-pool`."""

    singular = "market_type"
    collection = "market-types"


class Series(RecordTypes):
    """A type of time series: `close-price` (scalar: one number an instant) or `ohlcv` (composite: several items)."""

    singular = "series"
    collection = "series"

    kind = Choice("scalar", "composite", required=True, default="scalar", fixed=True)
    unit = Text()
