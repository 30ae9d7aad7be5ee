"""How long the tests of each room may take: all of them together ten minutes of two processes, on two cores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import pytest

SECONDS: Mapping[str, int] = {
    "acceptance": 15, "access": 40, "accounts": 60, "api": 180, "backups": 110, "calendars": 10, "cli": 120,
    "client": 55, "database": 35, "demo": 15, "docs": 35, "engine": 35, "events": 5, "exports": 30, "faults": 170,
    "files": 20, "filters": 55, "formats": 30, "imports": 35, "items": 5, "jobs": 25, "lifecycle": 15,
    "machine": 35, "plans": 25, "races": 10, "series": 15, "source": 5, "tags": 5, "upkeep": 30, "uploads": 45,
    "webhooks": 35,
}  # fmt: skip


def spent(reports: Iterable[pytest.TestReport]) -> dict[str, float]:
    """The seconds of each room, with what its tests set up and clear away."""
    seconds: dict[str, float] = defaultdict(float)
    for report in reports:
        _, room, *_ = report.nodeid.split("/")
        seconds[room] += report.duration
    return seconds


def told(seconds: Mapping[str, float]) -> list[str]:
    """A line for each room, the costliest first. A busy machine puts them over their budgets, a fault of ours one."""
    return [
        f"{room:12} {taken:6.1f} of {SECONDS.get(room, 0):3}{'  over' if taken > SECONDS.get(room, 0) else ''}"
        for room, taken in sorted(seconds.items(), key=lambda item: -item[1])
    ]
