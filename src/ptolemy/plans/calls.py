"""How many API calls a workspace may make in a month (UTC), and how many are left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

UNLIMITED = 2**53 - 1
"""Stands for no limit: the largest number that every script reads exactly, so that none has to know a word for it."""


@dataclass(frozen=True)
class Allowance:
    """`resets_at` is in seconds since 1970: the first instant of the next month."""

    limit: int
    remaining: int
    resets_at: int


def allowance(year: int, month: int) -> Allowance:
    """What a workspace has in this month. Every plan is without limits so far."""
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return Allowance(UNLIMITED, UNLIMITED, int(following.timestamp()))
