"""All that deliveries need, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from ptolemy.database.pool import Database
from ptolemy.kernel.sealing import Sealer
from ptolemy.webhooks.addresses import Guard, Network
from ptolemy.webhooks.endpoint_queue import Delivering
from ptolemy.webhooks.payload import Payloads
from ptolemy.webhooks.retries import DeliveryPace
from ptolemy.webhooks.sending import Sender

SEALED_FOR = "webhook secrets"


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def delivering(
    database: Database,
    *,
    secret_key: str,
    public_url: str | None = None,
    allowed: Sequence[Network],
    pace: DeliveryPace | None = None,
    clock: Callable[[], datetime] = now,
) -> AsyncIterator[Delivering]:
    """Ready to deliver; its connections to endpoints are closed with the block."""
    sender = Sender(Guard(allowed))
    try:
        yield Delivering(
            database, sender, Sealer(secret_key, SEALED_FOR), Payloads(public_url), pace or DeliveryPace(), clock
        )
    finally:
        await sender.close()
