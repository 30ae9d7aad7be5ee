from ptolemy.engine.fields import Reference, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, NoOverlap, Resource
from ptolemy.engine.write import Write
from ptolemy.resources.market_listings import MarketListings


class MarketListingSuspensions(Resource):
    """A period in which a listing doesn't trade, from its first instant to before its last; open means until now."""

    singular = "market_listing_suspension"
    collection = "market-listing-suspensions"
    lifecycle = Lifecycle(archive=False, hard_delete=True)
    counted = True

    listing_id = Reference(MarketListings, when_deleted="cascade", required=True)
    suspended_from = Timestamp(required=True)
    suspended_until = Timestamp()
    reason = Text(max_length=10_000)

    no_overlap = NoOverlap(listing_id, suspended_from, suspended_until)

    def check(self, write: Write) -> None:
        """A suspension ends after it begins."""
        begin, end = write.get(self.suspended_from), write.get(self.suspended_until)
        if begin and end and end <= begin:
            write.refuse_field("suspended_until", "not_after_suspended_from", "must be after suspended_from")
