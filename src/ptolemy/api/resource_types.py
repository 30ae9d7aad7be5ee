"""The resource types that exports and imports take."""

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ptolemy.catalogue import EXPORTED


def _known(value: str) -> str:
    if value not in EXPORTED:
        raise PydanticCustomError("unknown_resource_type", "must be one of {types}", {"types": ", ".join(EXPORTED)})
    return value


ResourceType = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(EXPORTED)})]
