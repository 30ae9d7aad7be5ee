"""The deliveries of one workspace in the test's own loop, by a clock that the test sets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TypeVar
from uuid import UUID

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row
from ptolemy.events.log import Entry, record
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.sealing import Sealer
from ptolemy.webhooks import endpoints, subscriptions
from ptolemy.webhooks.bell import ringing
from ptolemy.webhooks.courier import Courier
from ptolemy.webhooks.opening import SEALED_FOR, delivering
from ptolemy.webhooks.retries import DeliveryPace
from tests.product import PATIENCE_SECONDS
from tests.webhooks.receiver import Receiver

T = TypeVar("T")

KEY = "a secret key that only the tests know"
LOCAL = (ip_network("127.0.0.1/32"),)
QUICK = DeliveryPace(poll=0.05, linger=0.1, lease=2, grace=1)
"""The schedule of the product; what is only there to save work is short."""


class Clock:
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Desk:
    def __init__(self, database: Database, workspace_id: UUID, clock: Clock) -> None:
        self.database, self.caller, self.clock = database, Caller(workspace_id, SYSTEM), clock
        self.sealer = Sealer(KEY, SEALED_FOR)

    async def hook(self, receiver: Receiver, *event_types: str) -> tuple[UUID, str]:
        """A webhook and its secret."""
        async with self.database.transaction(self.caller) as tx:
            row, secret = await endpoints.create_webhook(tx, self.sealer, {"url": receiver.url})
            await subscriptions.set_subscriptions(tx, str(row["id"]), event_types or ("series.created",))
        webhook_id: UUID = row["id"]
        return webhook_id, secret

    async def happen(self, number: int = 1, event_type: str = "series.created", record_id: UUID | None = None) -> None:
        """Events of as many records, or of one, in one transaction."""
        kind = event_type.partition(".")[0]
        async with self.database.transaction(self.caller) as tx:
            await record(tx, [Entry(event_type, kind, record_id or uuid7(), str(each)) for each in range(number)])

    async def happen_one(self) -> str:
        """One event's id, once it is committed."""
        async with self.database.transaction(self.caller) as tx:
            series_id = uuid7()
            await record(tx, [Entry("series.created", "series", series_id, "one")])
            statement = "select id::text from events where workspace_id = ? and resource_id = ?"
            event_id: str = await tx.value(Sql.of(statement, tx.workspace_id, series_id))
        return event_id

    async def deliveries(self) -> Sequence[Row]:
        async with self.database.transaction(self.caller) as tx:
            statement = "select * from webhook_deliveries where workspace_id = ? order by id"
            return await tx.rows(Sql.of(statement, tx.workspace_id))

    async def webhook(self, webhook_id: UUID) -> Row:
        async with self.database.transaction(self.caller) as tx:
            row = await tx.row(
                Sql.of("select * from webhooks where workspace_id = ? and id = ?", tx.workspace_id, webhook_id)
            )
        assert row is not None
        return row

    async def settled(self, status: str, number: int = 1, attempts: int = 0) -> Sequence[Row]:
        """The deliveries, once so many of them have the status and as many attempts."""

        async def found() -> Sequence[Row] | None:
            rows = await self.deliveries()
            met = [row for row in rows if row["status"] == status and row["attempts"] >= attempts]
            return rows if len(met) >= number else None

        return await come_true(found)

    @asynccontextmanager
    async def working(self, pace: DeliveryPace = QUICK) -> AsyncIterator[None]:
        """A worker, until the block ends."""
        async with (
            ringing(self.database),
            delivering(self.database, secret_key=KEY, allowed=LOCAL, pace=pace, clock=self.clock) as ready,
        ):
            courier = Courier(ready)
            task = asyncio.create_task(courier.run())
            try:
                yield
            finally:
                courier.stop()
                await task


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Desk]:
    """A desk in a workspace of its own."""
    database = await Database.open(database_url, app_connections=8, owner_connections=1)
    workspace_id = uuid7()
    try:
        async with database.session() as session:
            await session.run(
                Sql.of("insert into workspaces (id, slug, name) values (?, ?, 'W')", workspace_id, workspace_id.hex)
            )
        yield Desk(database, workspace_id, Clock())
    finally:
        await database.close()


async def come_true(fact: Callable[[], Awaitable[T | None]], patience_seconds: float = PATIENCE_SECONDS) -> T:
    """The first answer of `fact` that isn't None."""
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        if (found := await fact()) is not None:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")
