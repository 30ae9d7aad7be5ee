"""Numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ptolemy.engine.fields.field import Field
from ptolemy.kernel.decimals import parse_decimal, write_decimal
from ptolemy.kernel.json import LARGEST_INTEGER
from ptolemy.kernel.quoting import seen


class Number(Field[Decimal]):
    """An exact decimal: digits and scale are kept, never through a float."""

    column_type = "numeric"
    fault = "invalid_number"
    sent = {"anyOf": [{"type": "number"}, {"type": "string"}]}

    def accept(self, value: Any) -> Decimal:
        return parse_decimal(value)

    def show(self, stored: Any) -> str:
        return write_decimal(stored)

    def same(self, one: Decimal | None, other: Decimal | None) -> bool:
        # 45.82 and 45.820 are equal numbers, but not the same record; 1e2 and 100 are.
        if one is None or other is None:
            return one is other
        return write_decimal(one) == write_decimal(other)


class Integer(Field[int]):
    column_type = "bigint"
    fault = "invalid_integer"
    sent = {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER}
    shown = {"type": "integer"}

    def accept(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"must be a whole number, got {seen(value)}")
        if abs(value) > LARGEST_INTEGER:
            raise ValueError(f"must be between -{LARGEST_INTEGER} and {LARGEST_INTEGER}")
        return value

    def accept_cell(self, text: str) -> int:
        try:
            return self.accept(int(text))
        except ValueError:
            raise ValueError(f"must be a whole number, got {seen(text)}") from None
