"""Sets of other records that a record is linked to: the tags of an instrument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.engine.fields.computed import Computed
from ptolemy.engine.fields.field import JsonSchema
from ptolemy.engine.fields.reference import Reference
from ptolemy.kernel.quoting import seen

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource


MAX_LINKS = 1000


class Links(Computed[list[str]]):
    """Names of other records, in their order; each link is a record of the resource at `through`.

    Sent as a list of UUIDs or names, which then is the whole set.
    """

    fault = "invalid_links"
    shown = {"type": "array", "items": {"type": "string"}}

    link: Resource
    owner: Reference
    other: Reference

    def __init__(self, *, through: str) -> None:
        super().__init__(derived=False, required=True, default=[])
        self.through = through

    def bind(self, owner: type[Resource], resources: Sequence[Resource]) -> None:
        """Finds the two references that make a link; the catalogue calls it once all resources are there."""
        self.link = next(resource for resource in resources if resource.collection == self.through)
        for reference in self.link.references():
            if reference.target is owner:
                self.owner = reference
            else:
                self.other = reference

    @property
    def sent(self) -> JsonSchema:  # type: ignore[override] # its items are of the resource
        return {"type": "array", "items": dict(self.other.sent), "maxItems": MAX_LINKS}

    def accept(self, value: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > MAX_LINKS:
            raise ValueError(f"must be a list of at most {MAX_LINKS} UUIDs or names, got {seen(value)}")
        return [str(self.other.accept(key)) for key in value]

    def sql(self, table: str, workspace_id: UUID) -> Sql:
        target, other = self.other.target, self.other.name
        return Sql.of(
            f"array(select other.{target.named_by}"
            f" from {self.link.table} link"
            f" join {target.table} other on other.workspace_id = link.workspace_id and other.id = link.{other}"
            f" where link.workspace_id = ? and link.{self.owner.name} = {table}.id"
            f" order by other.{target.named_by}, other.id)",
            workspace_id,
        )

    def show(self, stored: Any) -> list[str]:
        return list(stored)

    @property
    def token(self) -> str:
        """Its name in `include`."""
        return self.name
