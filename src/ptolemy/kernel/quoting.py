"""Values as error messages quote them."""

from __future__ import annotations

from ptolemy.kernel.json import encode


def seen(value: object) -> str:
    """A sent value: text in quotes, else as JSON writes it, and never more than a line of it."""
    if isinstance(value, tuple):
        return " on ".join(seen(part) for part in value)
    text = repr(value) if isinstance(value, str) else encode(value).decode()
    return text if len(text) <= 60 else f"{text[:57]}..."
