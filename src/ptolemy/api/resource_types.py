"""The resource types that exports and imports take, and who may ask for which."""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ptolemy.api.services import Call
from ptolemy.catalogue import EXPORTED, WHOLE_WORKSPACE, asker_of
from ptolemy.kernel.actors import allows
from ptolemy.kernel.problems import Forbidden

_TYPES = (*EXPORTED, WHOLE_WORKSPACE)


def _known(value: str) -> str:
    if value not in _TYPES:
        raise PydanticCustomError("unknown_resource_type", "must be one of {types}", {"types": ", ".join(_TYPES)})
    return value


ResourceType = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(_TYPES)})]


def admit_to_type(call: Call, resource_type: str) -> None:
    """Refuses whose role may export and import, but not this."""
    held, needed = call.signed_in.role, asker_of(resource_type)
    if not allows(held, needed):
        raise Forbidden("forbidden", f"a whole workspace needs the role {needed}, yours is {held}")
