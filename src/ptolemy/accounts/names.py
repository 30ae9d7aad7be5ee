"""Names that people give to workspaces, robots, tokens and themselves."""

from __future__ import annotations

from ptolemy.kernel.problems import FieldError, Invalid

MAX_NAME = 255


def checked_name(name: str, field: str = "name") -> str:
    """The name as it was given; 1 to 255 printable characters, not all of them blank."""
    if not 1 <= len(name) <= MAX_NAME or not name.strip() or not name.isprintable():
        raise Invalid(
            FieldError(field, "invalid_name", f"must have 1 to {MAX_NAME} printable characters, not all blank")
        )
    return name
