"""The types that define custom fields: of instruments, of markets, and series for values."""

from ptolemy.engine.fields import Choice, Identifier, Text
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write


class InstrumentTypes(Resource):
    """A kind of instrument: `equity`, `bond`, `fx`."""

    singular = "instrument_type"
    collection = "instrument-types"
    lifecycle = Lifecycle(archive=True, hard_delete=True)
    write_role = "editor"
    is_schema = True

    identifier = Identifier(required=True, searched=True)
    name = Text(searched=True)
    description = Text(max_length=10_000)

    unique = [Unique(identifier)]


class MarketTypes(Resource):
    """A kind of market: `exchange`, `otc`, `dark-pool`."""

    singular = "market_type"
    collection = "market-types"
    lifecycle = Lifecycle(archive=True, hard_delete=True)
    write_role = "editor"
    is_schema = True

    identifier = Identifier(required=True, searched=True)
    name = Text(searched=True)
    description = Text(max_length=10_000)

    unique = [Unique(identifier)]


class Series(Resource):
    """A type of time series: `close-price` (scalar: one number an instant) or `ohlcv` (composite: several items)."""

    singular = "series"
    collection = "series"
    lifecycle = Lifecycle(archive=True, hard_delete=True)
    write_role = "editor"
    is_schema = True

    identifier = Identifier(required=True, searched=True)
    name = Text(searched=True)
    description = Text(max_length=10_000)
    kind = Choice("scalar", "composite", required=True, default="scalar", fixed=True)
    unit = Text()

    unique = [Unique(identifier)]


def check_kind(write: Write, series: str, kind: str) -> None:
    """Scalar values belong to scalar series, composite values to composite ones."""
    parent = write.parents.get(series)
    if parent is not None and parent["kind"] != kind:
        write.refuse_field(
            series, "wrong_series_kind", f"must be a {kind} series, {parent['identifier']} is {parent['kind']}"
        )
