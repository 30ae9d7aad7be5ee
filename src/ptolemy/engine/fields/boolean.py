"""True or false."""

from __future__ import annotations

from typing import Any

from ptolemy.engine.fields.field import SAME, Field
from ptolemy.kernel.quoting import seen


class Boolean(Field[bool]):
    column_type = "boolean"
    fault = "invalid_boolean"
    sent = {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["true", "false"]}]}
    shown = {"type": "boolean"}
    operators = SAME

    def accept(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if value not in ("true", "false"):
            raise ValueError(f"must be true or false, got {seen(value)}")
        return bool(value == "true")
