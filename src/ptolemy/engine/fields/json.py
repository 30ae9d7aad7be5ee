"""Free JSON objects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from ptolemy.engine.fields.field import Field
from ptolemy.kernel.decimals import write_decimal
from ptolemy.kernel.json import decode_exact, encode_canonical

_MAX_BYTES = 1_000_000
_MAX_DEPTH = 50


class Json(Field[dict[str, Any]]):
    """A JSON object of the user's own, kept as PostgreSQL's `jsonb`: exact numbers, no order of keys, no key twice."""

    column_type = "jsonb"
    fault = "invalid_json"
    sent = {"type": "object"}
    shown = {"type": "object"}
    operators = frozenset({"is_null"})

    def accept(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError("must be a JSON object")
        _check(value, 1)
        if len(encode_canonical(value)) > _MAX_BYTES:
            raise ValueError(f"must have at most {_MAX_BYTES} bytes")
        return value

    def accept_cell(self, text: str) -> dict[str, Any]:
        try:
            return self.accept(decode_exact(text))
        except msgspec.DecodeError as error:
            raise ValueError(f"must be a JSON object: {error}") from None

    def store(self, value: dict[str, Any]) -> str:
        return encode_canonical(value).decode()

    def load(self, stored: Any) -> dict[str, Any]:
        loaded: dict[str, Any] = decode_exact(stored)
        return loaded

    def show(self, stored: Any) -> msgspec.Raw:
        return msgspec.Raw(stored.encode())

    def same(self, one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
        # To Python true, 1 and 1.0 are equal; they are three things to say.
        same: bool = _told(one) == _told(other)
        return same


def _told(value: Any) -> Any:
    """What equals only what says the same; numbers as PostgreSQL writes them."""
    if isinstance(value, dict):
        return {key: _told(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_told(inner) for inner in value]
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | Decimal):
        return "number", write_decimal(abs(number) if (number := Decimal(value)) == 0 else number)
    return value


def _check(value: Any, depth: int) -> None:
    """What JSON can write but PostgreSQL can't keep."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"must be nested at most {_MAX_DEPTH} deep")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("must not contain the character NUL")
    if isinstance(value, Decimal) and (not value.is_finite() or abs(value.adjusted()) > 1000):
        raise ValueError("must not contain numbers of more than 1000 digits")
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 3300:
        raise ValueError("must not contain numbers of more than 1000 digits")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check(key, depth)
            _check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)
