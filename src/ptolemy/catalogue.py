"""Every resource, in the order in which a restore must bring them back."""

from __future__ import annotations

from ptolemy.database.transaction import Transaction
from ptolemy.engine.resource import Resource
from ptolemy.kernel.actors import Role
from ptolemy.resources.instrument_tag_assignments import InstrumentTagAssignments
from ptolemy.resources.instrument_tags import InstrumentTags
from ptolemy.resources.instruments import Instruments
from ptolemy.resources.market_calendars import MarketCalendars
from ptolemy.resources.market_listing_suspensions import MarketListingSuspensions
from ptolemy.resources.market_listings import MarketListings, MarketListingStatuses, seed_statuses
from ptolemy.resources.markets import Markets
from ptolemy.resources.time_series_values import CompositeTimeSeriesValues, TimeSeriesValues
from ptolemy.resources.type_fields import InstrumentTypeFields, MarketTypeFields, TimeSeriesTypeFields
from ptolemy.resources.types import InstrumentTypes, MarketTypes, Series

LISTING_STATUSES = MarketListingStatuses()
MARKET_CALENDARS = MarketCalendars()
SCALAR_VALUES, COMPOSITE_VALUES = TimeSeriesValues(), CompositeTimeSeriesValues()

RESOURCES: tuple[Resource, ...] = (
    InstrumentTypes(),
    InstrumentTypeFields(),
    MarketTypes(),
    MarketTypeFields(),
    Series(),
    TimeSeriesTypeFields(),
    LISTING_STATUSES,
    Instruments(),
    InstrumentTags(),
    InstrumentTagAssignments(),
    Markets(),
    MARKET_CALENDARS,
    MarketListings(),
    MarketListingSuspensions(),
    SCALAR_VALUES,
    COMPOSITE_VALUES,
)

EXPORTED: dict[str, Resource] = {resource.table: resource for resource in RESOURCES if not resource.is_schema}
"""By resource type: what exports and imports carry, in the order of a restore."""


WHOLE_WORKSPACE = "workspace"
"""The resource type of an export or import of everything."""


def asker_of(resource_type: str) -> Role:
    """The least role that exports and imports it: a whole workspace carries its schema, which takes an editor."""
    return "editor" if resource_type == WHOLE_WORKSPACE else "member"


async def seed(tx: Transaction) -> None:
    """What every new workspace begins with."""
    await seed_statuses(tx, LISTING_STATUSES)


def _link(resources: tuple[Resource, ...]) -> None:
    """Tells each resource which references point at it, and each set of links where they lie."""
    for resource in resources:
        for reference in resource.references():
            reference.target.dependents.append((resource, reference))
        for of in resource.links():
            of.bind(type(resource), resources)


_link(RESOURCES)
