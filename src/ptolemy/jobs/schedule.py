"""Work that comes round: one standing job for each schedule, however many workers there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Session

_NAMESPACE = UUID("8c3a4f6e-5b0d-4d1c-9a57-3f0a6f2e7b11")
"""Any UUID, the same in every process: a schedule's job has the same id everywhere (RFC 9562, version 5)."""


@dataclass(frozen=True)
class Schedule:
    """A job of this kind every so often, never two at a time; missed turns are not made up for."""

    name: str
    every_seconds: float
    kind: str


async def arrange(session: Session, schedules: Sequence[Schedule]) -> None:
    """Puts in the standing jobs that are missing, due at once; a shorter period takes effect now."""
    for schedule in sorted(schedules, key=lambda schedule: schedule.name):
        every = timedelta(seconds=schedule.every_seconds)
        await session.run(
            Sql.of(
                "insert into jobs (id, kind, every)"
                " values (?, ?, ?)"
                " on conflict (id) do update"
                " set kind = excluded.kind, every = excluded.every, run_at = least(jobs.run_at, now() + excluded.every)"
                " where (jobs.kind, jobs.every) is distinct from (excluded.kind, excluded.every)",
                uuid5(_NAMESPACE, schedule.name),
                schedule.kind,
                every,
            )
        )
