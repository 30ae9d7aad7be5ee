"""How long the tests of each room may take: all of them together eight minutes of two cores that do nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import pytest

SECONDS: Mapping[str, int] = {
    "acceptance": 15, "access": 15, "accounts": 45, "api": 150, "backups": 70, "calendars": 20, "cli": 55,
    "client": 20, "database": 15, "demo": 10, "docs": 45, "engine": 40, "events": 10, "exports": 15, "faults": 110,
    "files": 15, "filters": 70, "formats": 30, "imports": 25, "items": 5, "jobs": 10, "lifecycle": 20, "machine": 35,
    "plans": 15, "races": 5, "series": 20, "tags": 5, "uploads": 40, "webhooks": 45,
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
