"""The id of another record that may be gone by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from ptolemy.engine.fields.field import JsonSchema
from ptolemy.engine.fields.record_id import RecordId
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.quoting import seen

if TYPE_CHECKING:
    from ptolemy.engine.resource import Resource


class Mention(RecordId):
    """What a record remembers of another, which it doesn't keep from being removed; filters take its name too."""

    fault = "invalid_reference"

    def __init__(self, target: type[Resource], **options: Any) -> None:
        super().__init__(**options)
        self.target = target

    @property
    def sent(self) -> JsonSchema:  # type: ignore[override] # its bound is of the target
        return {"type": "string", "minLength": 1, "maxLength": self.target.longest_key}

    def accept(self, value: Any) -> UUID:
        # A name stays one until the filter looks it up.
        if not isinstance(value, str):
            raise ValueError(f"must be a UUID or a name, got {seen(value)}")
        if record := as_uuid(value):
            return record
        if fault := self.target.key_fault(value):
            raise ValueError(f"{fault}, got {seen(value)}")
        return self.target.named(value)  # type: ignore[return-value]
