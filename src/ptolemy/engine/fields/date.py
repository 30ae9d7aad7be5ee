"""A day of the calendar."""

from __future__ import annotations

from datetime import date
from typing import Any

from ptolemy.engine.fields.field import Field
from ptolemy.kernel.timestamps import parse_date


class Date(Field[date]):
    column_type = "date"
    fault = "invalid_date"
    sent = {"type": "string", "format": "date"}
    shown = {"type": "string", "format": "date"}

    def accept(self, value: Any) -> date:
        return parse_date(value)

    def show(self, stored: Any) -> str:
        return str(stored.isoformat())
