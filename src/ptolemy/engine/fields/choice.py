"""One of a few words."""

from __future__ import annotations

from typing import Any

from ptolemy.engine.fields.field import SAME, Field, JsonSchema
from ptolemy.kernel.quoting import seen


class Choice(Field[str]):
    column_type = "text collate pg_c_utf8"
    fault = "invalid_choice"
    operators = SAME

    def __init__(self, *choices: str, **options: Any) -> None:
        super().__init__(**options)
        self.choices = choices

    @property
    def sent(self) -> JsonSchema:  # type: ignore[override] # its words are of the instance
        return {"type": "string", "enum": list(self.choices)}

    @property
    def shown(self) -> JsonSchema:  # type: ignore[override]
        return self.sent

    def accept(self, value: Any) -> str:
        if value not in self.choices:
            raise ValueError(f"must be one of {', '.join(self.choices)}, got {seen(value)}")
        return str(value)
