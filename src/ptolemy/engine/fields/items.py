"""The items of a composite value: several named values at one instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptolemy.engine.fields.type_values import TypeValues, Values
from ptolemy.kernel.json import decode_exact
from ptolemy.kernel.quoting import seen

if TYPE_CHECKING:
    from ptolemy.engine.write import Write


class Items(TypeValues):
    """`[{field_key, value}, …]`, defined by the series; they lie on their value's row and go where it goes."""

    fault = "invalid_items"
    series_kind = "composite"
    sent = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "field_key": {"type": "string"},
                "value": {"type": ["string", "number", "boolean", "null"]},
            },
            "required": ["field_key", "value"],
            "additionalProperties": False,
        },
    }
    shown = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"field_key": {"type": "string"}, "value": {"type": ["string", "null"]}},
            "required": ["field_key", "value"],
        },
    }

    def accept(self, value: Any) -> Values:
        if not isinstance(value, list):
            raise ValueError("must be a list of {field_key, value}")
        items: Values = {}
        for item in value:
            if not isinstance(item, dict) or item.keys() != {"field_key", "value"}:
                raise ValueError(f"each item must be {{field_key, value}}, got {seen(item)}")
            key = item["field_key"]
            if not isinstance(key, str):
                raise ValueError(f"field_key must be text, got {seen(key)}")
            if key in items:
                raise ValueError(f"the item {seen(key)} is there twice")
            items[key] = item["value"]
        return items

    def show(self, stored: Any) -> Any:
        return [{"field_key": key, "value": value} for key, value in decode_exact(stored).items()]

    def _refuse(self, write: Write, key: str, code: str, message: str) -> None:
        write.refuse_field(f"items.{key}", code, message)
