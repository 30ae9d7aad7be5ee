"""Which events an endpoint hears of: those that are committed after it subscribed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.event_types import check_event_type
from ptolemy.events.log import Entry, record
from ptolemy.kernel.identifiers import uuid7s
from ptolemy.kernel.problems import Conflict, FieldError, NotFound
from ptolemy.webhooks import feed
from ptolemy.webhooks.feed import Locked
from ptolemy.webhooks.resource import Webhooks


async def subscriptions(tx: Transaction, key: str, *, after: UUID | None, limit: int) -> Sequence[Row]:
    """Those of the webhook that `key` names, in order of id behind `after`."""
    webhook = await lookup.one(tx, Webhooks, key)
    statement = Sql.of(
        "select id, webhook_id, event_type, created_at from webhook_subscriptions"
        " where workspace_id = ? and webhook_id = ? and (?::uuid is null or id > ?) order by id limit ?",
        tx.workspace_id,
        webhook["id"],
        after,
        after,
        limit,
    )
    return await tx.rows(statement)


async def subscribe(tx: Transaction, key: str, event_type: str) -> Row:
    """The new subscription."""
    locked = await feed.lock(tx)
    webhook = await lookup.one(tx, Webhooks, key, lock="for no key update")
    check_event_type(event_type, "event_type")
    before = await _types(tx, webhook)
    if event_type in before:
        detail = f"the webhook is subscribed to {event_type} already"
        raise Conflict("duplicate", detail, (FieldError("event_type", "duplicate", detail),))
    [row] = await _add(tx, webhook, [event_type], locked)
    await _tell(tx, webhook, before, {*before, event_type})
    return row


async def unsubscribe(tx: Transaction, key: str, subscription_id: UUID | None) -> None:
    await feed.lock(tx)
    webhook = await lookup.one(tx, Webhooks, key, lock="for no key update")
    before = await _types(tx, webhook)
    gone = await tx.row(
        Sql.of(
            "delete from webhook_subscriptions where workspace_id = ? and webhook_id = ? and id = ?"
            " returning event_type",
            tx.workspace_id,
            webhook["id"],
            subscription_id,
        )
    )
    if gone is None:
        raise NotFound("not_found", "this webhook has no such subscription")
    await _tell(tx, webhook, before, before - {gone["event_type"]})


async def set_subscriptions(tx: Transaction, key: str, wanted: Sequence[str]) -> None:
    """Makes these all the subscriptions there are; those that stay are left alone."""
    locked = await feed.lock(tx)
    webhook = await lookup.one(tx, Webhooks, key, lock="for no key update")
    for place, event_type in enumerate(wanted):
        check_event_type(event_type, f"{place}.event_type")
    before, after = await _types(tx, webhook), set(wanted)
    await tx.run(
        Sql.of(
            "delete from webhook_subscriptions"
            " where workspace_id = ? and webhook_id = ? and not (event_type = any(?::text[]))",
            tx.workspace_id,
            webhook["id"],
            sorted(after),
        )
    )
    await _add(tx, webhook, [each for each in dict.fromkeys(wanted) if each not in before], locked)
    await _tell(tx, webhook, before, after)


async def begin_anew(tx: Transaction, webhook_id: UUID, locked: Locked) -> None:
    """An endpoint that is active again hears of what happens from now on."""
    await tx.run(
        Sql.of(
            "update webhook_subscriptions set epoch = ?, since = ?, recorded_at = now()"
            " where workspace_id = ? and webhook_id = ?",
            tx.epoch,
            locked.now,
            tx.workspace_id,
            webhook_id,
        )
    )


async def _types(tx: Transaction, webhook: Row) -> set[str]:
    statement = Sql.of(
        "select event_type from webhook_subscriptions where workspace_id = ? and webhook_id = ?",
        tx.workspace_id,
        webhook["id"],
    )
    return {row["event_type"] for row in await tx.rows(statement)}


async def _add(tx: Transaction, webhook: Row, event_types: Sequence[str], locked: Locked) -> list[Row]:
    if not event_types:
        return []
    statement = Sql.of(
        "insert into webhook_subscriptions (workspace_id, id, webhook_id, event_type, epoch, since)"
        " select ?, new.id, ?, new.event_type, ?, ? from unnest(?::uuid[], ?::text[]) as new (id, event_type)"
        " returning id, webhook_id, event_type, created_at",
        tx.workspace_id,
        webhook["id"],
        tx.epoch,
        locked.now,
        uuid7s(len(event_types)),
        list(event_types),
    )
    return await tx.rows(statement)


async def _tell(tx: Transaction, webhook: Row, before: Collection[str], after: Collection[str]) -> None:
    if set(before) != set(after):
        changes = {"subscriptions": {"from": sorted(before), "to": sorted(after)}}
        await record(tx, [Entry("webhook.updated", "webhook", webhook["id"], None, changes)])
