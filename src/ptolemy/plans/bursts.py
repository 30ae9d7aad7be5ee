"""How many requests a token may make at once: a bucket for each, one for all processes.

A bucket holds as many requests as flow into it in a second. A process takes a tenth of that at a time, good for a
second, so that a busy token costs ten small statements a second in each process, and a slow one a statement a request.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Session

RETRY_AFTER_SECONDS = 1

_SHARE_TAKEN = 10
_GOOD_FOR_SECONDS = 1.0
_MANY_TOKENS = 10_000


@dataclass(slots=True)
class _Bucket:
    """What this process holds of one: `left` until `until`, or nothing until `closed_until` (monotonic seconds)."""

    left: int = 0
    until: float = 0.0
    closed_until: float = 0.0
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Bursts:
    def __init__(self, database: Database, per_second: int) -> None:
        self._database, self._per_second = database, per_second
        self._at_once = max(1, per_second // _SHARE_TAKEN)
        self._buckets: dict[UUID, _Bucket] = {}

    async def allows(self, token_id: UUID) -> bool:
        """Whether one more request of the token may pass now."""
        bucket = self._buckets.get(token_id)
        if bucket is None:
            bucket = self._new(token_id)
        while True:
            now = time.monotonic()
            if bucket.left and now < bucket.until:
                bucket.left -= 1
                return True
            if now < bucket.closed_until:
                return False
            async with bucket.taking:
                now = time.monotonic()
                if (bucket.left and now < bucket.until) or now < bucket.closed_until:
                    continue  # another request has taken, or tried, meanwhile
                await self._fill(token_id, bucket)

    def _new(self, token_id: UUID) -> _Bucket:
        if len(self._buckets) >= _MANY_TOKENS:
            now = time.monotonic()
            self._buckets = {key: each for key, each in self._buckets.items() if now < each.until}
        return self._buckets.setdefault(token_id, _Bucket())

    async def _fill(self, token_id: UUID, bucket: _Bucket) -> None:
        # Full at an instant in the future is as empty as that is far: the generic cell rate algorithm.
        took = timedelta(seconds=self._at_once / self._per_second)
        row = await self._database.row(
            Sql.of(
                "insert into token_bursts as b (token_id, full_at) values (?, clock_timestamp() + ?::interval)"
                " on conflict (token_id) do update"
                " set full_at = greatest(b.full_at, clock_timestamp()) + ?::interval"
                " where greatest(b.full_at, clock_timestamp()) + ?::interval"
                " <= clock_timestamp() + interval '1 second'"
                " returning token_id",
                token_id,
                took,
                took,
                took,
            )
        )
        now = time.monotonic()
        if row is None:
            bucket.left, bucket.closed_until = 0, now + took.total_seconds()
        else:
            bucket.left, bucket.until = self._at_once, now + _GOOD_FOR_SECONDS


async def forget_bursts(session: Session) -> None:
    """Removes the buckets that have been full for long: those of tokens that are no longer used."""
    await session.run(Sql("delete from token_bursts where full_at < now() - interval '1 hour'"))
