"""Webhooks and their deliveries as users see them; they belong to the server, so no archive of a workspace has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Boolean, Choice, Integer, RecordId, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write
from ptolemy.webhooks.web_address import WebAddressField

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"


class Webhooks(Resource):
    """An endpoint that hears of events. One that is not active hears of nothing until it is active again."""

    singular = "webhook"
    collection = "webhooks"
    lifecycle = Lifecycle(archive=False, hard_delete=True)
    write_role = "admin"
    listed_by = ("active",)

    url = WebAddressField(required=True)
    description = Text()
    active = Boolean(required=True, default=True)
    deactivated_at = Timestamp(derived=True)
    deactivated_reason = Text(derived=True)

    async def before_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """Switching it off or on by hand takes the reason away that the server gave when it switched it off."""
        for write in writes:
            if write.changed(self.active):
                write.new["deactivated_at"] = None if write.get(self.active) else datetime.now(UTC)
                write.new["deactivated_reason"] = None


class WebhookDeliveries(Resource):
    """One event on its way to one endpoint: what was tried last, what it answered, and what comes next."""

    singular = "webhook_delivery"
    collection = "webhook-deliveries"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    listed_by = ("status", "event_type", "event_id", "resource_id")

    webhook_id = RecordId(required=True)
    event_id = RecordId(required=True)
    event_type = Text(required=True)
    resource_id = RecordId(required=True)
    status = Choice(PENDING, DELIVERED, FAILED, required=True)
    attempts = Integer(required=True)
    failures = Integer(required=True, hidden=True)
    """Failed attempts since it was last put in the queue: where on the schedule of retries it stands."""
    next_attempt_at = Timestamp()
    last_attempt_at = Timestamp()
    delivered_at = Timestamp()
    response_status = Integer()
    response_body = Text()
    error = Text()
    duration_ms = Integer()

    unique = [Unique(webhook_id, event_id)]


WEBHOOKS = Webhooks()
