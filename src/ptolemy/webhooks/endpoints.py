"""Webhooks made, changed, tried out, switched off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lifecycle, lookup, write
from ptolemy.engine.etags import ANY, Expected
from ptolemy.events.log import Entry, record
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.sealing import Sealer
from ptolemy.kernel.timestamps import write_timestamp
from ptolemy.plans.webhooks import refuse_beyond_plan
from ptolemy.webhooks import deliveries, feed
from ptolemy.webhooks.addresses import Guard, Refused, Unresolved
from ptolemy.webhooks.resource import WEBHOOKS, Webhooks
from ptolemy.webhooks.secret_store import give_secret, replace_secret
from ptolemy.webhooks.subscriptions import begin_anew
from ptolemy.webhooks.web_address import parse_web_address


async def admit(guard: Guard, url: str) -> None:
    """Refuses an address that deliveries may not go to; whatever it is now, each delivery looks again."""
    where = parse_web_address(url)
    try:
        await guard.addresses(where)
    except Refused as refused:
        raise Invalid(FieldError("url", refused.code, str(refused))) from None
    except Unresolved as unresolved:
        if where.scheme != "https":
            reason = "must be https: only addresses that the operator allows may be http"
            raise Invalid(FieldError("url", "https_required", f"{reason}, and {unresolved}")) from None
        # A name may be made later: nothing is sent before it leads somewhere permitted.


async def create_webhook(tx: Transaction, sealer: Sealer, sent: Mapping[str, Any]) -> tuple[Row, str]:
    """The new endpoint, without subscriptions, and its secret, which can't be read again."""
    locked = await feed.lock(tx)
    await refuse_beyond_plan(tx)
    row = await write.create(tx, WEBHOOKS, sent)
    secret = await give_secret(tx, sealer, row["id"])
    await feed.settle(tx, locked)
    return row, secret


async def change_webhook(tx: Transaction, key: str, sent: Mapping[str, Any], *, expected: Expected = ANY) -> Row:
    locked = await feed.lock(tx)
    old = await lookup.one(tx, Webhooks, key, lock="for no key update")
    row = await write.change(tx, WEBHOOKS, key, sent, expected=expected)
    if row["active"] and not old["active"]:
        await begin_anew(tx, row["id"], locked)
    await feed.settle(tx, locked)
    return row


async def remove_webhook(tx: Transaction, key: str, *, cascade: bool = False, expected: Expected = ANY) -> None:
    """Its log of deliveries is removed a little later."""
    locked = await feed.lock(tx)
    await lifecycle.hard_delete(tx, WEBHOOKS, key, cascade=cascade, expected=expected)
    await feed.settle(tx, locked)


async def rotate_secret(tx: Transaction, sealer: Sealer, key: str) -> tuple[Row, str, datetime]:
    """The endpoint, its new secret, and until when the one before signs too."""
    row = await lookup.one(tx, Webhooks, key, lock="for no key update")
    secret, until = await replace_secret(tx, sealer, row["id"])
    changes = {"previous_secret_signs_until": {"from": None, "to": write_timestamp(until)}}
    await record(tx, [Entry("webhook.secret_rotated", "webhook", row["id"], None, changes)])
    return row, secret, until


async def test_webhook(tx: Transaction, key: str, now: datetime) -> Row:
    """The delivery of an event made for it, whatever it is subscribed to."""
    row = await deliveries.active(tx, key, lock="for no key update")
    xid = await record(tx, [Entry("webhook.tested", "webhook", row["id"])])
    event = await tx.row(
        Sql.of(
            "select id, event_type, resource_id from events"
            " where workspace_id = ? and resource_id = ? and epoch = ? and xid = ?"
            " order by id desc limit 1",
            tx.workspace_id,
            row["id"],
            tx.epoch,
            xid,
        )
    )
    assert event is not None  # noqa: S101 - written above
    [delivery] = await deliveries.put_in(tx, [(row["id"], event)], now)
    return delivery


async def deactivate(tx: Transaction, webhook_id: UUID, reason: str) -> None:
    """Switches the endpoint off, with an event that tells why; what waits for it waits until it is active again."""
    locked = await feed.lock(tx)
    changed = await tx.run(
        Sql.of(
            "update webhooks"
            " set active = false, deactivated_at = now(), deactivated_reason = ?,"
            "  updated_at = now(), recorded_at = now()"
            " where workspace_id = ? and id = ? and active",
            reason,
            tx.workspace_id,
            webhook_id,
        )
    )
    if changed:
        changes = {
            "active": {"from": True, "to": False},
            "deactivated_reason": {"from": None, "to": reason},
        }
        await record(tx, [Entry("webhook.deactivated", "webhook", webhook_id, None, changes)])
        await feed.settle(tx, locked)
