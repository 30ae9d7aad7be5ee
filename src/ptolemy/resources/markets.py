from ptolemy.engine.fields import Identifier, Json, Mic, Reference, Text, Timezone, TypeValues
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.resources.type_fields import MarketTypeFields
from ptolemy.resources.types import MarketTypes


class Markets(Resource):
    """A place where instruments trade: an exchange, a venue, a pool."""

    singular = "market"
    collection = "markets"
    lifecycle = Lifecycle(archive=True, hard_delete=True)
    counted = True

    identifier = Identifier(required=True, searched=True)
    name = Text(required=True, searched=True)
    type_id = Reference(MarketTypes, when_deleted="refuse", required=True)
    field_values = TypeValues(of=type_id, defined_by=MarketTypeFields, shown_as="extra_fields_snapshot")
    extras = Json()
    timezone = Timezone()
    mic = Mic()

    unique = [Unique(identifier)]
