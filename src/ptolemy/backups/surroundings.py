"""What backups are told by those who run the server, and what a test may tell them instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ptolemy.files.s3 import Patience

Clock = Callable[[], datetime]

_BEARABLE = Patience(request_seconds=30, attempts=2, first_wait_seconds=1)


def wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class UploadPace:
    """How long a finished backup waits for its destination: some two hours, by default."""

    attempts: int = 14
    first_wait_seconds: float = 5
    longest_wait_seconds: float = 900

    def wait_seconds(self, attempts: int) -> float:
        """How long to wait after so many attempts that failed."""
        return min(self.first_wait_seconds * 2.0 ** (attempts - 1), self.longest_wait_seconds)


@dataclass(frozen=True)
class Surroundings:
    """`now` is the one clock that decides what is due, late, or kept for long enough."""

    directories: Sequence[Path] = ()
    """Where `file:///` destinations may lie, and nowhere else on this machine."""
    buckets: Sequence[str] = ()
    """Where `s3://` destinations may lie: buckets, or prefixes in them, without a slash at the end."""
    now: Clock = wall_clock
    look_seconds: float = 30
    """How often to look for policies whose turn has come."""
    pace: UploadPace = UploadPace()
    patience: Patience = _BEARABLE
    """With a bucket, in one of the attempts at `pace`."""
