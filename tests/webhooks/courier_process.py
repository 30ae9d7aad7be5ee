"""A worker that delivers, to be killed: `python courier_process.py <speed>`; the database's address comes on its input.

It is the product's but for its clock, which runs `speed` times as fast, and its patience.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta

from ptolemy.database.pool import Database
from ptolemy.webhooks.bell import ringing
from ptolemy.webhooks.courier import Courier
from ptolemy.webhooks.opening import delivering
from ptolemy.webhooks.retries import DeliveryPace
from tests.webhooks.desk import KEY, LOCAL

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


async def main(dsn: str, speed: float) -> None:
    def clock() -> datetime:
        # The same in every process.
        return BEGAN + timedelta(seconds=(time.time() - BEGAN.timestamp()) * speed)

    pace = DeliveryPace(lease=1, poll=0.1, linger=0.2, timeout=0.3, grace=1, at_once=16)
    database = await Database.open(dsn, app_connections=6, owner_connections=1)
    async with (
        ringing(database),
        delivering(database, secret_key=KEY, allowed=LOCAL, pace=pace, clock=clock) as ready,
    ):
        print("ready", flush=True)  # noqa: T201 - said to the test
        await Courier(ready).run()


if __name__ == "__main__":
    asyncio.run(main(sys.stdin.readline().strip(), float(sys.argv[1])))
