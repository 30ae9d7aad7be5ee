"""The shape of a filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MAX_DEPTH = 10
MAX_CONDITIONS = 200


class Condition(BaseModel):
    """`{"field", "op", "value"}`, `{"and": […]}` or `{"or": […]}`, nested; what stands beside each other all holds."""

    model_config = ConfigDict(extra="forbid")

    field: Annotated[str, Field(description="A field of the resource")] | None = None
    op: Annotated[str, Field(description="An operator that the field has")] | None = None
    value: Any = None
    and_: Annotated[list[Condition], Field(max_length=MAX_CONDITIONS)] | None = Field(None, alias="and")
    or_: Annotated[list[Condition], Field(max_length=MAX_CONDITIONS)] | None = Field(None, alias="or")

    def walk(self, path: str = "filter", depth: int = 1) -> Iterator[tuple[str, int, Condition]]:
        """Every condition with where it stands, itself first."""
        yield path, depth, self
        for word, parts in (("and", self.and_), ("or", self.or_)):
            for position, part in enumerate(parts or ()):
                yield from part.walk(f"{path}.{word}.{position}", depth + 1)

    def mentions(self, name: str) -> bool:
        return name in self.names()

    def names(self) -> set[str]:
        """The fields that it speaks of."""
        return {condition.field for _, _, condition in self.walk() if condition.field is not None}
