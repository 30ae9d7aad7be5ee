"""A value of which only the text is known: its kind is defined elsewhere, or differs from type to type."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ptolemy.engine.fields.text import Text
from ptolemy.kernel.decimals import parse_decimal, write_decimal


class AnyValue(Text):
    """Sent as text, or as JSON writes a number or a boolean; kept and compared as text."""

    sent = {"type": ["string", "number", "boolean"]}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=10_000, **options)

    def accept(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return super().accept(write_decimal(parse_decimal(value)) if isinstance(value, int | Decimal) else value)
