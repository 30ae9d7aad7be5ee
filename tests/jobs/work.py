"""A worker process: `python work.py <url> <name>`.

A job writes down that it began, waits until the table says "open" to it, and writes
"kept" behind the fence.
"""

from __future__ import annotations

import asyncio
import sys

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.jobs.job import Job, LeaseLost
from ptolemy.jobs.runner import JobPace, Runner
from ptolemy.jobs.schedule import Schedule

PACE = JobPace(lease_seconds=1.5, heartbeat_seconds=0.3, poll_seconds=0.2)


class Writing:
    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name

    async def run(self, job: Job) -> None:
        await self._write(f"began {job.attempts}")
        try:
            await self._keep(job)
        except (LeaseLost, asyncio.CancelledError):
            await self._write("lost")
            raise

    async def _keep(self, job: Job) -> None:
        while not await self._open():  # noqa: ASYNC110 - another process opens
            await asyncio.sleep(0.02)
        async with self._database.session() as session:
            await session.run(Sql.of("insert into written (worker, what) values (?, 'kept')", self._name))
            await job.still_ours(session)

    async def gave_up(self, job: Job, reason: str) -> None:
        await self._write(f"gave up: {reason}")

    async def _open(self) -> bool:
        async with self._database.session() as session:
            return bool(
                await session.value(Sql.of("select 1 from written where worker = ? and what = 'open'", self._name))
            )

    async def _write(self, what: str) -> None:
        async with self._database.session() as session:
            await session.run(Sql.of("insert into written (worker, what) values (?, ?)", self._name, what))


class Ticking(Writing):
    async def run(self, job: Job) -> None:
        await self._write("tick")


async def main(url: str, name: str) -> None:
    database = await Database.open(url)
    handlers = {"write": Writing(database, name), "tick": Ticking(database, name)}
    schedules = [Schedule("ticking", 0.5, "tick")]
    await Runner(database, handlers, schedules=schedules, pace=PACE).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
