"""Which form of an answer a client wants (RFC 9110, section 12.5.1)."""

from __future__ import annotations


def prefers_csv(accept: str) -> bool:
    """Whether the `Accept` header names CSV, and nothing that speaks for JSON more."""
    weights = dict(_weighted(part) for part in accept.split(","))
    return weights.get("text/csv", 0.0) > weights.get("application/json", 0.0)


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
