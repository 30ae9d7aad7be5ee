"""One workspace in the hands of one worker: its news is put into the queues, and the queues are worked off."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog

from ptolemy.database.outage import OUTAGE
from ptolemy.database.snapshots import Snapshot
from ptolemy.database.sql import Sql, some
from ptolemy.database.transaction import Overtaken, Row, Transaction
from ptolemy.event_types import ALL, matches
from ptolemy.jobs.job import LeaseLost
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.waiting import set_within
from ptolemy.webhooks import deliveries, feed
from ptolemy.webhooks.endpoint_queue import Delivering, EndpointQueue

log = structlog.get_logger("ptolemy.webhooks")


class Round:
    """`run` works on a claimed workspace while there is something to do, then gives it back."""

    def __init__(self, with_: Delivering, workspace_id: UUID, token: UUID) -> None:
        self._with, self._token = with_, token
        self._caller = Caller(workspace_id, SYSTEM)
        self._queues: dict[UUID, tuple[EndpointQueue, asyncio.Task[None]]] = {}
        self._wake, self._stopping = asyncio.Event(), False
        self.rung = False
        """Whether there was news that it hasn't looked at."""

    @property
    def workspace_id(self) -> UUID:
        return self._caller.workspace_id

    def ring(self) -> None:
        self.rung = True
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        try:
            due_in = await self._work()
            await self._end_queues()
            async with self._with.database.session() as session:
                await feed.release(session, self.workspace_id, self._token, due_in)
        except LeaseLost:
            log.warning("webhooks_lost", workspace_id=str(self.workspace_id))
        except Overtaken:
            # Somebody changed the same records the other way round: whoever takes the workspace next sees what.
            async with self._with.database.session() as session:
                await feed.release(session, self.workspace_id, self._token, 0)
        except OUTAGE as error:
            log.warning("webhooks_unreachable", workspace_id=str(self.workspace_id), reason=str(error))
        finally:
            for _, task in self._queues.values():
                task.cancel()
            if self._queues:
                await asyncio.wait([task for _, task in self._queues.values()])

    async def _work(self) -> float:
        """In how many seconds the workspace is due again."""
        pace, idle_seconds = self._with.pace, 0.0
        while not self._stopping:
            self._wake.clear()
            self.rung = False
            self._look_after_queues()
            more = await self._read()
            next_in = await self._start_due()
            if more:
                continue
            if not self._queues and not self.rung:
                if idle_seconds >= pace.linger:
                    return max(0.0, min(next_in, pace.poll))
                idle_seconds += await self._wait(min(next_in, pace.linger))
            else:
                idle_seconds = 0.0
                await self._wait(min(next_in, pace.lease / 4))
        return 0.0

    def _look_after_queues(self) -> None:
        for webhook_id, (_, task) in list(self._queues.items()):
            if task.done():
                del self._queues[webhook_id]
                task.result()  # what it failed of, this round fails of

    async def _read(self) -> bool:
        """Puts the next news into the queues; whether there may be more."""
        async with self._with.database.transaction(self._caller) as tx:
            held = await feed.hold(tx, self._token, self._with.pace.lease)
            subscribed = await _subscriptions(tx)
            news = await feed.read_on(tx, held, _wanted(subscribed))
            pairs = [(row, event) for event in news.events for row in subscribed if _hears(row, event, held["epoch"])]
            told = list(dict.fromkeys((row["webhook_id"], event["id"]) for row, event in pairs))
            events = {event["id"]: event for event in news.events}
            if told:
                await deliveries.put_in(tx, [(webhook, events[key]) for webhook, key in told], self._with.clock())
        for webhook_id in {webhook for webhook, _ in told}:
            if webhook_id in self._queues:
                self._queues[webhook_id][0].wake()
        return news.more

    async def _start_due(self) -> float:
        """Starts the queues that have something to do; in how many seconds the next one has."""
        async with self._with.database.transaction(self._caller) as tx:
            due = await deliveries.next_due(tx)
        now, soonest = self._with.clock(), self._with.pace.poll
        for webhook_id, at in due.items():
            if webhook_id in self._queues:
                continue  # it looks by itself
            if at <= now:
                queue = EndpointQueue(self._with, self._caller, webhook_id)
                task = asyncio.create_task(queue.run())
                task.add_done_callback(lambda _: self._wake.set())
                self._queues[webhook_id] = queue, task
            else:
                soonest = min(soonest, (at - now).total_seconds())
        return soonest

    async def _wait(self, seconds: float) -> float:
        """Until there is something to do; how long it was."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await set_within(self._wake, max(seconds, 0.005))
        return loop.time() - began

    async def _end_queues(self) -> None:
        for queue, _ in self._queues.values():
            queue.stop()
        if self._queues:
            await asyncio.wait([task for _, task in self._queues.values()], timeout=self._with.pace.grace)


async def _subscriptions(tx: Transaction) -> list[Row]:
    """Those of active endpoints."""
    return await tx.rows(
        Sql.of(
            "select s.webhook_id, s.event_type, s.epoch, s.since from webhook_subscriptions s"
            " join webhooks w on w.workspace_id = ? and w.id = s.webhook_id"
            " where s.workspace_id = ? and w.active"
            " order by s.webhook_id, s.id",
            tx.workspace_id,
            tx.workspace_id,
        )
    )


def _wanted(subscribed: Sequence[Row]) -> Sql:
    """The condition on events that somebody hears of."""
    named = {row["event_type"] for row in subscribed}
    if not named:
        return Sql("false")
    if ALL in named:
        return Sql("true")
    of_resources = sorted(each.removesuffix(".*") for each in named if each.endswith(".*"))
    single = sorted(each for each in named if not each.endswith(".*"))
    return some(
        [
            Sql.of("event_type = any(?::text[])", single),
            Sql.of("split_part(event_type, '.', 1) = any(?::text[])", of_resources),
        ]
    )


def _hears(subscription: Row, event: Row, epoch: int) -> bool:
    """Whether the event was committed after the subscription was made, and is of its type."""
    if not matches(event["event_type"], (subscription["event_type"],)):
        return False
    return bool(subscription["epoch"] < epoch or not Snapshot.of(subscription["since"]).sees(event["xid"]))
