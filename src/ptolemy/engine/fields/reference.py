"""Fields that point at another record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.fields.field import SAME, Field, JsonSchema
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.quoting import seen

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource
    from ptolemy.engine.write import Write


class Reference(Field[UUID]):
    """Another record, sent as UUID or identifier; stored and shown as the UUID. No target: the resource itself.

    `when_deleted` says what a hard delete of that record does to this one: it goes along, or the delete is refused with
    a count of the dependents. `enforced=False` leaves the foreign key out where it would cost a bulk load more than all
    else together; the write path then holds the parents by lock instead.
    """

    column_type = "uuid"
    fault = "invalid_reference"
    shown = {"type": "string", "format": "uuid"}
    operators = SAME

    def __init__(
        self,
        target: type[Resource] | None,
        *,
        when_deleted: Literal["refuse", "cascade"],
        enforced: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.when_deleted, self.enforced = when_deleted, enforced
        if target is not None:
            self.target: type[Resource] = target

    def __set_name__(self, owner: type[Resource], name: str) -> None:
        super().__set_name__(owner, name)
        if not hasattr(self, "target"):
            self.target = owner

    @property
    def token(self) -> str:
        """Its name in exports and in dotted paths: `instrument_id` is `instrument` there."""
        return self.name.removesuffix("_id")

    @property
    def sent(self) -> JsonSchema:  # type: ignore[override] # its bound is of the target
        return {"type": "string", "minLength": 1, "maxLength": self.target.longest_key}

    def accept(self, value: Any) -> UUID:
        # A key at first; `resolve` makes it the UUID. Typed as what rules see.
        if not isinstance(value, str):
            raise ValueError(f"must be a UUID or an identifier, got {seen(value)}")
        if as_uuid(value):
            return value  # type: ignore[return-value]
        if fault := self.target.key_fault(value):
            raise ValueError(f"{fault}, got {seen(value)}")
        return self.target.named(value)  # type: ignore[return-value]

    def show(self, stored: Any) -> str:
        return str(stored)

    async def resolve(self, tx: Transaction, writes: Sequence[Write]) -> None:
        asked = [(write.new.get(self.name), write.beside.get(self.name)) for write in writes]
        # By pairs: many writes of one batch have the same parent.
        names = {pair: [lookup.told(name) for name in pair if name is not None] for pair in set(asked)}
        keys = {str(key) for key, _ in names if key is not None}
        found = await lookup.parents(tx, self.target, keys, {key for _, key in names if key is not None})
        parents = {
            pair: next((found[name] for name in wanted if name in found), None) for pair, wanted in names.items()
        }
        for write, pair in zip(writes, asked, strict=True):
            if wanted := names[pair]:
                self._attach(write, wanted[0], parents[pair])

    def _attach(self, write: Write, key: lookup.Key, parent: Row | None) -> None:
        if parent is None:
            write.refuse_field(self.name, "unknown_reference", f"no {self.target.called} {seen(key)} here")
            return
        moved = write.old is None or write.verb == "restored" or parent["id"] != write.old[self.name]
        if moved and not write.recorded and self.target.lifecycle.archive and parent["archived_at"] is not None:
            write.refuse("parent_archived", f"the {self.target.called} is archived: restore it first", field=self.name)
        write.parents[self.name], write.new[self.name] = parent, parent["id"]
