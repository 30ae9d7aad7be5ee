from ptolemy.engine.fields import Reference
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.resources.instrument_tags import InstrumentTags
from ptolemy.resources.instruments import Instruments


class InstrumentTagAssignments(Resource):
    """That an instrument bears a tag."""

    singular = "instrument_tag_assignment"
    collection = "instrument-tag-assignments"
    lifecycle = Lifecycle(archive=False, hard_delete=True)

    instrument_id = Reference(Instruments, when_deleted="cascade", required=True)
    tag_id = Reference(InstrumentTags, when_deleted="cascade", required=True)

    unique = [Unique(instrument_id, tag_id)]
