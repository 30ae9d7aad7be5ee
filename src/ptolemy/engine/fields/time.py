"""A time of day."""

from __future__ import annotations

from datetime import time
from typing import Any

from ptolemy.engine.fields.field import Field
from ptolemy.kernel.timestamps import parse_time


class Time(Field[time]):
    """A time of day without a zone, to the second; the record's market or its like says whose clock it is."""

    column_type = "time"
    fault = "invalid_time"
    sent = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}
    shown = {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}:[0-9]{2}$"}

    def accept(self, value: Any) -> time:
        return parse_time(value)

    def show(self, stored: Any) -> str:
        return str(stored.isoformat("seconds"))
