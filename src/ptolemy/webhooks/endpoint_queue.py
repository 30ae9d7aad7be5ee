"""The deliveries of one endpoint, a few at a time, those of one record one after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.kernel import tracing
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.sealing import Sealer
from ptolemy.kernel.waiting import set_within
from ptolemy.webhooks import deliveries
from ptolemy.webhooks.deliveries import Outcome
from ptolemy.webhooks.endpoints import deactivate
from ptolemy.webhooks.payload import Payloads
from ptolemy.webhooks.resource import FAILED
from ptolemy.webhooks.retries import DeliveryPace
from ptolemy.webhooks.secret_store import opened
from ptolemy.webhooks.sending import Answer, Header, Sender, Unreachable
from ptolemy.webhooks.signatures import signed_headers
from ptolemy.webhooks.web_address import parse_web_address

FETCHED_AT_ONCE = 100
LOOK_AGAIN_SECONDS = 1.0
NOTE_SECONDS = 0.05
"""The log may be so far behind what was sent: a transaction for each delivery would cost more than the delivery."""
GONE = 410

_FORGOTTEN = "the event is kept no longer"

log = structlog.get_logger("ptolemy.webhooks")


@dataclass(frozen=True)
class Delivering:
    """What every endpoint's queue works with. `clock` is what retries go by."""

    database: Database
    sender: Sender
    sealer: Sealer
    payloads: Payloads
    pace: DeliveryPace
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class _Waiting:
    delivery: Row
    body: bytes | None


class EndpointQueue:
    """Works until nothing of the endpoint is due; `wake` tells it of more."""

    def __init__(self, with_: Delivering, caller: Caller, webhook_id: UUID) -> None:
        self._with, self._caller, self._webhook_id = with_, caller, webhook_id
        self._at_once = with_.pace.at_once
        self._waiting: list[_Waiting] = []
        self._on_their_way: dict[UUID, tuple[Row, asyncio.Task[Outcome]]] = {}
        self._ended: list[Outcome] = []
        self._note_at = 0.0
        self._webhook: Row | None = None
        self._there_may_be_more, self._wake = True, asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        self._there_may_be_more = True
        self._wake.set()

    def stop(self) -> None:
        """Nothing new is sent; what is on its way ends."""
        self._stopping = True
        self._waiting.clear()
        self._wake.set()

    async def run(self) -> None:
        try:
            while self._is_busy:
                self._wake.clear()
                self._collect()
                if self._stopping:
                    self._there_may_be_more = False
                elif self._there_may_be_more and len(self._waiting) < self._at_once:
                    await self._fetch()
                self._send()
                if self._is_time_to_note:
                    await self._note_ended()
                elif self._on_their_way:
                    await self._wait()
        finally:
            for _, task in self._on_their_way.values():
                task.cancel()

    @property
    def _is_busy(self) -> bool:
        return bool(self._there_may_be_more or self._waiting or self._on_their_way or self._ended)

    async def _wait(self) -> None:
        woken = await set_within(self._wake, NOTE_SECONDS if self._ended else LOOK_AGAIN_SECONDS)
        if not woken and not self._ended:
            # Something may have become due beside one that hangs.
            self._there_may_be_more = True

    async def _fetch(self) -> None:
        held = [each.delivery["id"] for each in self._waiting] + [each.delivery["id"] for each in self._ended]
        held += self._on_their_way
        async with self._with.database.transaction(self._caller) as tx:
            self._webhook = await _endpoint(tx, self._webhook_id)
            if self._webhook is None:
                self._waiting.clear()
                self._there_may_be_more = False
                return
            rows = await deliveries.due(
                tx, self._webhook_id, self._with.clock(), held=held, limit=FETCHED_AT_ONCE - len(self._waiting)
            )
            bodies = await self._with.payloads.of(tx, {row["event_id"] for row in rows}) if rows else {}
        self._there_may_be_more = len(rows) + len(self._waiting) >= FETCHED_AT_ONCE
        self._waiting += [_Waiting(row, bodies.get(row["event_id"])) for row in rows]

    def _send(self) -> None:
        """As many as may be on their way; of one record none before the one that came first."""
        busy = {delivery["resource_id"] for delivery, _ in self._on_their_way.values()}
        later = []
        for each in self._waiting:
            record = each.delivery["resource_id"]
            if len(self._on_their_way) >= self._at_once or record in busy:
                later.append(each)
            else:
                task = asyncio.create_task(self._attempt(each))
                task.add_done_callback(lambda _: self._wake.set())
                self._on_their_way[each.delivery["id"]] = each.delivery, task
            busy.add(record)
        self._waiting = later

    def _collect(self) -> None:
        """Those that have ended make room for others."""
        for key, (_, task) in list(self._on_their_way.items()):
            if task.done():
                del self._on_their_way[key]
                if not self._ended:
                    self._note_at = time.monotonic() + NOTE_SECONDS
                self._ended.append(task.result())

    @property
    def _is_time_to_note(self) -> bool:
        if not self._ended:
            return False
        late = not self._on_their_way or time.monotonic() >= self._note_at
        return late or len(self._ended) >= FETCHED_AT_ONCE or _end_of_the_endpoint(self._ended) is not None

    async def _note_ended(self) -> None:
        """Many go into the log in one transaction; only then may they be fetched again."""
        outcomes = list(self._ended)
        async with self._with.database.transaction(self._caller) as tx:
            if reason := _end_of_the_endpoint(outcomes):
                # First, for it locks what others lock first.
                await deactivate(tx, self._webhook_id, reason)
                self._waiting.clear()
            await deliveries.note(tx, outcomes)
        self._ended = self._ended[len(outcomes) :]

    async def _attempt(self, waiting: _Waiting) -> Outcome:
        about = {
            "ptolemy.workspace_id": str(self._caller.workspace_id),
            "ptolemy.webhook_id": str(self._webhook_id),
            "ptolemy.delivery_id": str(waiting.delivery["id"]),
            "ptolemy.attempt": waiting.delivery["attempts"] + 1,
        }
        with tracing.delivery_span(about) as span:
            outcome = await self._tried(waiting)
            status = {"http.response.status_code": outcome.response_status} if outcome.response_status else {}
            tracing.describe(span, "webhook delivery", status, failed=not outcome.delivered)
        return outcome

    async def _tried(self, waiting: _Waiting) -> Outcome:
        delivery, at, started = waiting.delivery, self._with.clock(), time.monotonic()
        if waiting.body is None:
            return Outcome(delivery, at, delivered=False, duration_ms=0, error=_FORGOTTEN)
        answer, error = None, None
        try:
            answer = await self._post(delivery, waiting.body, at)
        except Unreachable as unreachable:
            error = str(unreachable)
        except Exception:  # the outermost loop of every delivery: one must not end those beside it
            log.exception("delivery_failed", delivery_id=str(delivery["id"]))
            error = "a fault of the server; it is in the server's log"
        outcome = Outcome(delivery, at, delivered=False, duration_ms=round((time.monotonic() - started) * 1000))
        if answer is None:
            # One that hangs must not hold many connections.
            self._at_once = max(1, self._at_once // 2)
            return replace(outcome, error=error, next_attempt_at=self._next_attempt(delivery))
        outcome = replace(outcome, response_status=answer.status, response_body=answer.body)
        if 200 <= answer.status < 300:
            self._at_once = min(self._at_once + 1, self._with.pace.at_once)
            return replace(outcome, delivered=True)
        again = None if answer.status == GONE else self._next_attempt(delivery, answer.retry_after)
        return replace(outcome, error=f"answered {answer.status}", next_attempt_at=again)

    def _next_attempt(self, delivery: Row, retry_after: float | None = None) -> datetime | None:
        """None where this failure was the last."""
        wait = self._with.pace.wait(delivery["failures"] + 1, retry_after)
        return None if wait is None else self._with.clock() + timedelta(seconds=wait)

    async def _post(self, delivery: Row, body: bytes, at: datetime) -> Answer:
        assert self._webhook is not None  # noqa: S101 - fetched with the delivery
        secrets = opened(self._with.sealer, self._webhook, at)
        if not secrets:
            raise Unreachable("the secret was sealed under another PTOLEMY_SECRET_KEY: rotate it")
        headers: Sequence[Header] = [
            ("Content-Type", "application/json"),
            ("User-Agent", "Ptolemy-Webhooks/1"),
            ("Ptolemy-Delivery", str(delivery["id"])),
            *signed_headers(delivery["event_id"], int(time.time()), body, secrets),
        ]
        where = parse_web_address(self._webhook["url"])
        return await self._with.sender.post(where, headers, body, self._with.pace.timeout)


def _end_of_the_endpoint(outcomes: Sequence[Outcome]) -> str | None:
    """Why the endpoint is to be switched off, if it is."""
    for outcome in outcomes:
        if outcome.status != FAILED or outcome.error == _FORGOTTEN:
            continue
        if outcome.response_status == GONE:
            return f"it answered {GONE} (gone) to the event {outcome.delivery['event_id']}"
        return (
            f"the event {outcome.delivery['event_id']} failed {outcome.delivery['failures'] + 1} times: {outcome.error}"
        )
    return None


async def _endpoint(tx: Transaction, webhook_id: UUID) -> Row | None:
    """The endpoint with its secrets, as long as it is active."""
    return await tx.row(
        Sql.of(
            "select w.id, w.url, s.webhook_id, s.sealed, s.sealed_before, s.before_until, s.earlier, s.earlier_until"
            " from webhooks w join webhook_secrets s on s.workspace_id = ? and s.webhook_id = w.id"
            " where w.workspace_id = ? and w.id = ? and w.active",
            tx.workspace_id,
            tx.workspace_id,
            webhook_id,
        )
    )
