"""JSON that the product itself writes, like the findings of a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ptolemy.engine.fields.json import Json
from ptolemy.kernel.json import decode_exact, encode


class Documented(Json):
    """An object, or a list of them, of the form in `shown`: the members that are there, in the documented order."""

    def show(self, stored: Any) -> msgspec.Raw:
        return msgspec.Raw(encode(_in_order(self.shown, decode_exact(stored))))


def _in_order(schema: Mapping[str, Any], said: Any) -> Any:
    if isinstance(said, list):
        return [_in_order(schema["items"], each) for each in said]
    return {name: said[name] for name in schema["properties"] if name in said}
