"""Snapshots of PostgreSQL as text (`pg_snapshot`): which transactions had ended at an instant.

What was read is remembered as a snapshot, not as a place in the feed: an event is news when its transaction is seen by
the snapshot of now and wasn't by the one before. So a long transaction holds nothing back but its own events.
"""

from __future__ import annotations

from dataclasses import dataclass

NOTHING = "1:1:"


@dataclass(frozen=True)
class Snapshot:
    """`xmax` is the first transaction that had not begun; `running` are those before it that had not ended."""

    xmax: int
    running: frozenset[int]

    @staticmethod
    def of(text: str) -> Snapshot:
        _, xmax, running = text.split(":")
        return Snapshot(int(xmax), frozenset(map(int, running.split(","))) if running else frozenset())

    def sees(self, xid: int) -> bool:
        return xid < self.xmax and xid not in self.running
