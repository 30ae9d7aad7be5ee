"""An instant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ptolemy.engine.fields.field import Field
from ptolemy.kernel.timestamps import parse_timestamp, write_timestamp


class Timestamp(Field[datetime]):
    """ISO 8601 with an offset, or a bare date for midnight UTC; to the microsecond, shown in UTC."""

    column_type = "timestamptz"
    fault = "invalid_timestamp"
    sent = {"type": "string"}
    shown = {"type": "string", "format": "date-time"}

    def accept(self, value: Any) -> datetime:
        return parse_timestamp(value)

    def show(self, stored: Any) -> str:
        return write_timestamp(stored)
