"""The queue of each endpoint, which is the log of its deliveries as well."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from uuid import UUID

from ptolemy.database import retention
from ptolemy.database.retention import Kept
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.lookup import Lock
from ptolemy.kernel.identifiers import uuid7s
from ptolemy.kernel.problems import Conflict, NotFound
from ptolemy.plans.call_counts import count_deliveries
from ptolemy.webhooks.resource import DELIVERED, FAILED, PENDING, Webhooks

KEPT_FOR = timedelta(days=30)
AT_ONCE = 5000


async def put_in(tx: Transaction, wanted: Sequence[tuple[UUID, Row]], now: datetime) -> list[Row]:
    """Events for endpoints, due at once, in this order; those that are there already stay as they are."""
    statement = Sql.of(
        "insert into webhook_deliveries"
        " (workspace_id, id, webhook_id, event_id, event_type, resource_id, status, attempts, failures,"
        "  next_attempt_at)"
        f" select ?, new.id, new.webhook_id, new.event_id, new.event_type, new.resource_id, '{PENDING}', 0, 0, ?"
        " from unnest(?::uuid[], ?::uuid[], ?::uuid[], ?::text[], ?::uuid[])"
        " as new (id, webhook_id, event_id, event_type, resource_id)"
        " on conflict (workspace_id, webhook_id, event_id) do nothing"
        " returning *",
        tx.workspace_id,
        now,
        uuid7s(len(wanted)),
        [webhook for webhook, _ in wanted],
        [event["id"] for _, event in wanted],
        [event["event_type"] for _, event in wanted],
        [event["resource_id"] for _, event in wanted],
    )
    return await tx.rows(statement)


async def due(tx: Transaction, webhook_id: UUID, now: datetime, *, held: Collection[UUID], limit: int) -> list[Row]:
    """The endpoint's next deliveries in order, without those that the caller has in hand already."""
    statement = Sql.of(
        "select id, event_id, resource_id, attempts, failures, delivered_at from webhook_deliveries"
        f" where workspace_id = ? and webhook_id = ? and status = '{PENDING}' and next_attempt_at <= ?"
        "  and not (id = any(?::uuid[]))"
        " order by next_attempt_at, id"
        " limit ?",
        tx.workspace_id,
        webhook_id,
        now,
        list(held),
        limit,
    )
    return await tx.rows(statement)


async def next_due(tx: Transaction) -> dict[UUID, datetime]:
    """When each active endpoint has something to do next, by endpoint; a look in its index each."""
    statement = Sql.of(
        "select w.id, (select d.next_attempt_at from webhook_deliveries d"
        f"  where d.workspace_id = ? and d.webhook_id = w.id and d.status = '{PENDING}'"
        "  order by d.next_attempt_at, d.id limit 1) as at"
        " from webhooks w"
        " where w.workspace_id = ? and w.active",
        tx.workspace_id,
        tx.workspace_id,
    )
    return {row["id"]: row["at"] for row in await tx.rows(statement) if row["at"] is not None}


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt. `next_attempt_at` is None where it was the last."""

    delivery: Row
    at: datetime
    delivered: bool
    duration_ms: int
    next_attempt_at: datetime | None = None
    response_status: int | None = None
    response_body: str | None = None
    error: str | None = None

    @property
    def status(self) -> str:
        if self.delivered:
            return DELIVERED
        return FAILED if self.next_attempt_at is None else PENDING


async def note(tx: Transaction, outcomes: Sequence[Outcome]) -> None:
    """Attempts into the log. One of a worker that came late is dropped: another has tried since.

    The first delivery of an event to a webhook is a call of the plan.
    """
    statement = Sql.of(
        "update webhook_deliveries d"
        " set status = o.status, attempts = d.attempts + 1, failures = o.failures, next_attempt_at = o.next_attempt_at,"
        "  last_attempt_at = o.at, delivered_at = coalesce(d.delivered_at, o.delivered_at),"
        "  response_status = o.response_status, response_body = o.response_body, error = o.error,"
        "  duration_ms = o.duration_ms, updated_at = now(), recorded_at = now()"
        " from unnest(?::uuid[], ?::bigint[], ?::text[], ?::bigint[], ?::timestamptz[], ?::timestamptz[],"
        "  ?::timestamptz[], ?::bigint[], ?::text[], ?::text[], ?::bigint[])"
        " as o (id, attempts, status, failures, next_attempt_at, at, delivered_at, response_status, response_body,"
        "  error, duration_ms)"
        f" where d.workspace_id = ? and d.id = o.id and d.attempts = o.attempts and d.status = '{PENDING}'"
        " returning d.id",
        [each.delivery["id"] for each in outcomes],
        [each.delivery["attempts"] for each in outcomes],
        [each.status for each in outcomes],
        [each.delivery["failures"] + (not each.delivered) for each in outcomes],
        [each.next_attempt_at for each in outcomes],
        [each.at for each in outcomes],
        [each.at if each.delivered else None for each in outcomes],
        [each.response_status for each in outcomes],
        [each.response_body for each in outcomes],
        [each.error for each in outcomes],
        [each.duration_ms for each in outcomes],
        tx.workspace_id,
    )
    noted = {row["id"] for row in await tx.rows(statement)}
    first = [each for each in outcomes if each.delivered and each.delivery["delivered_at"] is None]
    await count_deliveries(tx, sum(each.delivery["id"] in noted for each in first))


async def delivery(tx: Transaction, key: str, delivery_id: UUID | None) -> Row:
    """One delivery of the webhook that `key` names."""
    webhook = await lookup.one(tx, Webhooks, key)
    statement = Sql.of(
        "select * from webhook_deliveries where workspace_id = ? and webhook_id = ? and id = ?",
        tx.workspace_id,
        webhook["id"],
        delivery_id,
    )
    row = await tx.row(statement)
    if row is None:
        raise unknown()
    return row


def unknown() -> NotFound:
    """What is raised for a delivery that there isn't, or that the caller may not know of."""
    return NotFound("not_found", "this webhook has no such delivery")


async def active(tx: Transaction, key: str, *, lock: Lock = "") -> Row:
    """The webhook that `key` names, to be sent something; a 409 where it is switched off."""
    row = await lookup.one(tx, Webhooks, key, lock=lock)
    if not row["active"]:
        raise Conflict("webhook_inactive", "the webhook is not active: set active to true first")
    return row


async def redeliver(tx: Transaction, key: str, delivery_id: UUID | None, now: datetime) -> Row:
    """The delivery, due at once, with all its attempts before it."""
    webhook = await active(tx, key)
    row = await tx.row(
        Sql.of(
            "update webhook_deliveries"
            f" set status = '{PENDING}', failures = 0, next_attempt_at = ?, updated_at = now(), recorded_at = now()"
            " where workspace_id = ? and webhook_id = ? and id = ? returning *",
            now,
            tx.workspace_id,
            webhook["id"],
            delivery_id,
        )
    )
    if row is None:
        raise unknown()
    tx.told.add(tx.workspace_id)
    return row


async def redeliver_failed(tx: Transaction, key: str, since: datetime, now: datetime) -> int:
    """Puts up to `AT_ONCE` of those that failed for good since then back into the queue; answers how many."""
    webhook = await active(tx, key)
    tx.told.add(tx.workspace_id)
    return await tx.run(
        Sql.of(
            "update webhook_deliveries"
            f" set status = '{PENDING}', failures = 0, next_attempt_at = ?, updated_at = now(), recorded_at = now()"
            " where workspace_id = ? and id = any(array("
            "  select id from webhook_deliveries"
            f"  where workspace_id = ? and webhook_id = ? and status = '{FAILED}' and last_attempt_at >= ?"
            f"  limit {AT_ONCE}))",
            now,
            tx.workspace_id,
            tx.workspace_id,
            webhook["id"],
            since,
        )
    )


async def _forget(tx: Transaction, before: datetime) -> int:
    """Old ones, and those whose webhook is gone."""
    ids = await _older(tx, before)
    if len(ids) < retention.AT_ONCE:
        ids += await _without_webhook(tx)
    return await tx.run(
        Sql.of("delete from webhook_deliveries where workspace_id = ? and id = any(?)", tx.workspace_id, ids)
    )


async def _older(tx: Transaction, before: datetime) -> list[UUID]:
    """Ids are in the order of creation, so the log is read from its beginning, and no further than it is old."""
    oldest = await tx.rows(
        Sql.of(
            "select id, created_at from webhook_deliveries where workspace_id = ?"
            f" order by id limit {retention.AT_ONCE}",
            tx.workspace_id,
        )
    )
    return [row["id"] for row in takewhile(lambda row: row["created_at"] < before, oldest)]


async def _without_webhook(tx: Transaction) -> list[UUID]:
    logged = await tx.rows(
        Sql.of(
            # From one webhook to the next in the index of the log, however many deliveries lie between.
            "with recursive logged as ("
            "  (select webhook_id from webhook_deliveries where workspace_id = ? order by webhook_id limit 1)"
            "  union all"
            "  select (select d.webhook_id from webhook_deliveries d"
            "   where d.workspace_id = ? and d.webhook_id > l.webhook_id order by d.webhook_id limit 1)"
            "  from logged l where l.webhook_id is not null"
            ")"
            " select webhook_id from logged l where webhook_id is not null"
            "  and not exists (select from webhooks w where w.workspace_id = ? and w.id = l.webhook_id)",
            tx.workspace_id,
            tx.workspace_id,
            tx.workspace_id,
        )
    )
    if not logged:
        return []
    rows = await tx.rows(
        Sql.of(
            "select id from webhook_deliveries where workspace_id = ? and webhook_id = any(?::uuid[])"
            f" limit {retention.AT_ONCE}",
            tx.workspace_id,
            [row["webhook_id"] for row in logged],
        )
    )
    return [row["id"] for row in rows]


KEPT = Kept("webhook_deliveries", _forget)
