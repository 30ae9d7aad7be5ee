"""A worker process to be killed or frozen: `python work.py <address of the file store> <seconds between heartbeats>`.

The database's address comes on its input.

It is the product's worker but for its pace: a dead worker's job is taken up after about a second, and a file store
that fails is given up soon.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.pool import Database
from ptolemy.files.opening import open_store
from ptolemy.files.s3 import Patience
from ptolemy.jobs.runner import JobPace, Runner
from ptolemy.worker import Working, handlers

PACE = JobPace(lease_seconds=1, poll_seconds=0.1, retry_seconds=0.2)
IMPATIENT = Patience(request_seconds=0.2, attempts=3, first_wait_seconds=0.02)


async def main(dsn: str, files_url: str, heartbeat_seconds: float) -> None:
    database = await Database.open(dsn, app_connections=4, owner_connections=2)
    # One at a time: who begins the next job has left the one before.
    backups = Surroundings(buckets=["s3://a-bucket"])
    working = Working(concurrency=1, unpacked_limit_bytes=1_000_000_000, backups=backups)
    work = handlers(database, open_store(files_url, IMPATIENT), working)
    await Runner(database, work, concurrency=1, pace=replace(PACE, heartbeat_seconds=heartbeat_seconds)).run()


if __name__ == "__main__":
    asyncio.run(main(sys.stdin.readline().strip(), sys.argv[1], float(sys.argv[2])))
