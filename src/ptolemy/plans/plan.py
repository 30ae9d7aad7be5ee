"""What a plan allows, and the plans there are until the operator says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Plan:
    """None is no limit. With overage, what goes beyond a limit passes and is recorded.

    `calls` are of a month (UTC), `events_days` is how long events are kept; seats and webhooks have no overage.
    """

    items: int | None = None
    calls: int | None = None
    seats: int | None = None
    webhooks: int | None = None
    item_overage: bool = False
    call_overage: bool = False
    events_days: int | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Plan:
        """The plan that a row of `plans` holds."""
        return cls(**{each.name: stored[each.name] for each in fields(cls)})


DEFAULTS: Mapping[str, Plan] = {
    "starter": Plan(items=100_000, calls=100_000, seats=3, webhooks=2, events_days=90),
    "growth": Plan(items=10_000_000, calls=3_000_000, seats=25, webhooks=20, events_days=365),
    "enterprise": Plan(),
}
NAMES = tuple(DEFAULTS)
