"""Brings events to the endpoints: takes workspaces that have something to bring, one worker each at a time."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import structlog

from ptolemy.database.outage import OUTAGE
from ptolemy.jobs.wakeup import listen
from ptolemy.kernel.waiting import set_within
from ptolemy.webhooks import feed
from ptolemy.webhooks.endpoint_queue import Delivering
from ptolemy.webhooks.feed import CHANNEL
from ptolemy.webhooks.round import Round

log = structlog.get_logger("ptolemy.webhooks")

LOOK_SECONDS = 1.0
"""How often to look for workspaces that are due, should the news of them have got lost."""


class Courier:
    """One worker's share of the deliveries. `run()` works until `stop()`."""

    def __init__(self, with_: Delivering) -> None:
        self._with = with_
        self._rounds: dict[UUID, tuple[Round, asyncio.Task[None]]] = {}
        self._heard: set[UUID] = set()
        self._wake, self._stopping = asyncio.Event(), False

    def stop(self) -> None:
        self._stopping = True
        for each, _ in self._rounds.values():
            each.stop()
        self._wake.set()

    async def run(self) -> None:
        listening = asyncio.create_task(listen(self._with.database, self._hear, CHANNEL))
        try:
            while not self._stopping:
                self._wake.clear()
                self._look_after_rounds()
                await self._take()
                await set_within(self._wake, min(LOOK_SECONDS, self._with.pace.poll))
            for each, _ in self._rounds.values():
                each.stop()
            if self._rounds:
                await asyncio.wait([task for _, task in self._rounds.values()], timeout=2 * self._with.pace.grace)
        finally:
            tasks = [listening, *(task for _, task in self._rounds.values())]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _hear(self, message: str) -> None:
        try:
            workspace_id = UUID(message)
        except ValueError:
            self._wake.set()  # the listener is back: anything may have happened
            return
        if workspace_id in self._rounds:
            self._rounds[workspace_id][0].ring()
        else:
            self._heard.add(workspace_id)
            self._wake.set()

    def _look_after_rounds(self) -> None:
        for workspace_id, (each, task) in list(self._rounds.items()):
            if task.done():
                del self._rounds[workspace_id]
                if each.rung:
                    self._heard.add(workspace_id)  # news came as it was given back
                if error := task.exception():
                    log.error("webhooks_failed", workspace_id=str(workspace_id), exc_info=error)

    async def _take(self) -> None:
        free = self._with.pace.workspaces - len(self._rounds)
        if free <= 0:
            return
        heard, self._heard = list(self._heard), set()
        token = uuid4()
        try:
            async with self._with.database.session() as session:
                taken = await feed.claim(session, heard, free, self._with.pace.lease, token)
        except OUTAGE as error:
            log.warning("webhooks_unreachable", reason=str(error))
            return
        for workspace_id in taken:
            each = Round(self._with, workspace_id, token)
            task = asyncio.create_task(each.run())
            task.add_done_callback(lambda _: self._wake.set())
            self._rounds[workspace_id] = each, task
