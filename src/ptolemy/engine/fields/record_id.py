"""The id of a record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ptolemy.engine.fields.field import Field
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.quoting import seen


class RecordId(Field[UUID]):
    column_type = "uuid"
    fault = "invalid_id"
    sent = {"type": "string", "format": "uuid"}
    shown = {"type": "string", "format": "uuid"}

    def accept(self, value: Any) -> UUID:
        record = as_uuid(value) if isinstance(value, str) else None
        if record is None:
            raise ValueError(f"must be a UUID, got {seen(value)}")
        return record

    def show(self, stored: Any) -> str:
        return str(stored)
