"""A worker process to be killed or frozen: `python work.py <folder of the files> <seconds between heartbeats>`.

The database's address comes on its input.

It is the product's worker but for its pace: a dead worker's job is taken up after about a second.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from ptolemy.database.pool import Database
from ptolemy.files.local import LocalFiles
from ptolemy.jobs.runner import Pace, Runner
from ptolemy.worker import handlers

PACE = Pace(lease_seconds=1, poll_seconds=0.1, retry_seconds=0.2)


async def main(dsn: str, files: Path, heartbeat_seconds: float) -> None:
    database = await Database.open(dsn, app_connections=4, owner_connections=2)
    # One at a time: who begins the next job has left the one before.
    work = handlers(database, LocalFiles(files), unpacked_limit_bytes=1_000_000_000)
    await Runner(database, work, concurrency=1, pace=replace(PACE, heartbeat_seconds=heartbeat_seconds)).run()


if __name__ == "__main__":
    asyncio.run(main(sys.stdin.readline().strip(), Path(sys.argv[1]), float(sys.argv[2])))
