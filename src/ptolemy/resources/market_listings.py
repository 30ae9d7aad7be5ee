from ptolemy.database.transaction import Transaction
from ptolemy.engine import write
from ptolemy.engine.fields import Boolean, Currency, Date, Identifier, Number, Reference, Text
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write
from ptolemy.resources.instruments import Instruments
from ptolemy.resources.markets import Markets


class MarketListingStatuses(Resource):
    """What a listing can be: `active`, `halted`, `delisted`, and what else a workspace needs."""

    singular = "market_listing_status"
    collection = "market-listing-statuses"
    lifecycle = Lifecycle(archive=True, hard_delete=True)
    write_role = "editor"
    is_schema = True

    identifier = Identifier(required=True, searched=True)
    name = Text(searched=True)
    is_tradable = Boolean(required=True, default=True)

    unique = [Unique(identifier)]


FIRST_STATUSES = (
    {"identifier": "active", "name": "Active", "is_tradable": True},
    {"identifier": "halted", "name": "Halted", "is_tradable": False},
    {"identifier": "delisted", "name": "Delisted", "is_tradable": False},
)


class MarketListings(Resource):
    """An instrument as it trades on one market."""

    singular = "market_listing"
    collection = "market-listings"
    lifecycle = Lifecycle(archive=True, hard_delete=False)
    counted = True

    instrument_id = Reference(Instruments, when_deleted="refuse", required=True)
    market_id = Reference(Markets, when_deleted="cascade", required=True)
    local_code = Text(searched=True)
    currency = Currency()
    lot_size = Number()
    status_id = Reference(MarketListingStatuses, when_deleted="refuse")
    listed_on = Date()
    delisted_on = Date()

    unique = [Unique(instrument_id, market_id)]

    def check(self, write: Write) -> None:
        """A listing ends no earlier than it begins, and its lots are of some size."""
        listed, delisted, lot = write.get(self.listed_on), write.get(self.delisted_on), write.get(self.lot_size)
        if listed and delisted and delisted < listed:
            write.refuse_field("delisted_on", "before_listed_on", "must not be before listed_on")
        if lot is not None and lot <= 0:
            write.refuse_field("lot_size", "not_positive", f"must be greater than 0, got {lot}")


async def seed_statuses(tx: Transaction, statuses: MarketListingStatuses) -> None:
    """The statuses that every workspace begins with."""
    for status in FIRST_STATUSES:
        await write.create(tx, statuses, status)
