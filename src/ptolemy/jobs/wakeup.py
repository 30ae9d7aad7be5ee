"""News of the queue, within milliseconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from ptolemy.database.outage import OUTAGE
from ptolemy.database.pool import Database
from ptolemy.database.transaction import Driver
from ptolemy.jobs.queue import CHANNEL

_RETRY_SECONDS = 0.5

log = structlog.get_logger("ptolemy.jobs")


async def listen(database: Database, heard: Callable[[str], None], channel: str = CHANNEL) -> None:
    """Calls `heard` with each message of a channel, until cancelled; connects again after every outage.

    A message may get lost in an outage, so who listens looks by itself now and then; `due` says that it should now.
    """
    while True:
        try:
            driver = await database.listener()
            try:
                await _listen_until_lost(driver, heard, channel)
            finally:
                driver.terminate()
        except OUTAGE as error:
            log.warning("listener_lost", channel=channel, reason=str(error))
        await asyncio.sleep(_RETRY_SECONDS)


async def _listen_until_lost(driver: Driver, heard: Callable[[str], None], channel: str) -> None:
    lost = asyncio.Event()

    def hear(_driver: Any, _pid: int, _channel: str, message: object) -> None:
        heard(str(message))

    driver.add_termination_listener(lambda _: lost.set())
    await driver.add_listener(channel, hear)
    heard("due")
    await lost.wait()
