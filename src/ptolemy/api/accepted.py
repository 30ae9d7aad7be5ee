"""Which form of an answer a client wants (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"


def preferred(accept: str, offered: Sequence[str]) -> str:
    """The one of the offered media types that the `Accept` header wants most; the first where it doesn't say."""
    weights = dict(_weighted(part) for part in accept.split(","))
    return max(offered, key=lambda media_type: _weight_of(media_type, weights))  # the first of equal ones


def _weight_of(media_type: str, weights: Mapping[str, float]) -> float:
    """By the range that names it most closely."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0.0)


def _weighted(part: str) -> tuple[str, float]:
    media_type, *parameters = part.lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            return media_type.strip(), _weight(value)
    return media_type.strip(), 1.0


def _weight(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0
