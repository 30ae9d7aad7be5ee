from ptolemy.engine.fields import Identifier, Json, Reference, Text, TypeValues
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.resources.tag_paths import Tags
from ptolemy.resources.type_fields import InstrumentTypeFields
from ptolemy.resources.types import InstrumentTypes


class Instruments(Resource):
    """A security, a currency pair, an index: whatever carries prices."""

    singular = "instrument"
    collection = "instruments"
    lifecycle = Lifecycle(archive=True, hard_delete=True, cascade=True)
    counted = True

    identifier = Identifier(required=True, searched=True)
    name = Text(required=True, searched=True)
    type_id = Reference(InstrumentTypes, when_deleted="refuse", required=True)
    field_values = TypeValues(of=type_id, defined_by=InstrumentTypeFields, shown_as="extra_fields_snapshot")
    extras = Json()
    tags = Tags(through="instrument-tag-assignments")

    unique = [Unique(identifier)]
