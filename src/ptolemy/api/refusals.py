"""What validation finds, in the words and the stable codes of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic_core.core_schema import ErrorType

from ptolemy.kernel.problems import FieldError

_BUILT_IN = frozenset[str](get_args(ErrorType))
"""The validator's own kinds of fault; the others are codes of ours already."""


def refusal(found: Mapping[str, Any]) -> FieldError:
    """One fault that the validator found, by the place where the user put it."""
    field = ".".join(str(part) for part in found["loc"]) or "body"
    kind, of = found["type"], found.get("ctx", {})
    if kind not in _BUILT_IN:
        return FieldError(field, kind, found["msg"])
    if kind == "missing":
        return FieldError(field, "required", "is required")
    if kind == "extra_forbidden":
        return FieldError(field, "unknown_field", "is not known here")
    if kind in ("literal_error", "enum"):
        choices = of["expected"].replace("'", "").replace(" or ", ", ")
        return FieldError(field, "invalid_choice", f"must be one of {choices}")
    if kind.startswith("bool_"):
        return FieldError(field, "invalid_boolean", "must be true or false")
    if kind.startswith("int_"):
        return FieldError(field, "invalid_integer", "must be a whole number")
    if kind in ("string_type", "string_unicode", "string_sub_type"):
        return FieldError(field, "invalid_text", "must be text")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return FieldError(field, "invalid_object", "must be a JSON object")
    if kind == "list_type":
        return FieldError(field, "invalid_list", "must be a list")
    return _beyond_a_limit(field, kind, of) or FieldError(field, "invalid_value", "is not a value for this field")


_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}
_LENGTHS = {
    "too_short": ("min_length", "must have at least", "entries"),
    "too_long": ("max_length", "must have at most", "entries"),
    "string_too_short": ("min_length", "must have at least", "characters"),
    "string_too_long": ("max_length", "must have at most", "characters"),
}


def _beyond_a_limit(field: str, kind: str, of: Mapping[str, Any]) -> FieldError | None:
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return FieldError(field, "out_of_range", f"{words} {of[name]}")
    if kind in _LENGTHS:
        name, words, things = _LENGTHS[kind]
        return FieldError(field, "invalid_length", f"{words} {of[name]} {things}")
    return None
