"""The log of a webhook's deliveries, and delivering again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, WithJsonSchema, create_model
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import list_query
from ptolemy.api.services import Call
from ptolemy.database.sql import Sql, every
from ptolemy.engine import lookup, read, render
from ptolemy.engine.fields import Timestamp
from ptolemy.engine.schemas import Body, schemas
from ptolemy.event_types import may_read, readable
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.json import encode
from ptolemy.webhooks import deliveries
from ptolemy.webhooks.payload import Payloads
from ptolemy.webhooks.resource import WebhookDeliveries, Webhooks

_models = schemas(WebhookDeliveries)
_Payload = Annotated[Any, WithJsonSchema({"type": ["object", "null"], "additionalProperties": True})]
DeliveryWithPayload = create_model(
    "WebhookDeliveryWithPayload",
    __base__=_models.record,
    __doc__="A delivery and the event's JSON that was sent; null once the event is kept no longer.",
    payload=(_Payload, ...),
)


class RedeliverFailed(Body):
    failed_since: Timestamp().annotation  # type: ignore[valid-type] # the engine's own kind of instant


class Redelivered(BaseModel):
    redelivered: int


def delivery_operations(webhook: str, find: Callable[[Call], Awaitable[object]]) -> list[Operation]:
    many = f"{webhook}/deliveries"
    one = f"{many}/{{delivery_id}}"
    of = partial(Operation, tag="webhooks", find=find)
    return [
        of(
            "GET",
            many,
            _list,
            "List a webhook's deliveries",
            access="viewer",
            answers={200: _models.page},
            query=_models.query,
        ),
        of("GET", one, _get, "Get a delivery with what was sent", access="viewer", answers={200: DeliveryWithPayload}),
        of(
            "POST",
            f"{one}/redeliver",
            _redeliver,
            "Deliver again",
            access="admin",
            answers={202: _models.record},
            problems=(409,),
        ),
        of(
            "POST",
            f"{webhook}/redeliver",
            _redeliver_failed,
            "Deliver all again that failed since an instant",
            access="admin",
            answers={200: Redelivered},
            body=RedeliverFailed,
            problems=(409,),
        ),
    ]


async def _list(call: Call) -> Response:
    """The newest first; those of events that the caller may not read are not among them."""
    query = list_query(WebhookDeliveries, call.query)
    async with call.transaction() as tx:
        webhook = await lookup.one(tx, Webhooks, call.path["id"])
        conditions = [Sql.of("webhook_id = ?", webhook["id"])]
        if (shown := readable(call.signed_in.role)) is not None:
            conditions.append(shown)
        asked = replace(query, sort=[("id", "desc")], where=every(conditions))
        page = await read.page(tx, WebhookDeliveries, asked, call.services.cursors)
    return json(render.listing(WebhookDeliveries, page))


async def _get(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await deliveries.delivery(tx, call.path["id"], as_uuid(call.path["delivery_id"]))
        if not may_read(call.signed_in.role, row["event_type"]):
            raise deliveries.unknown()
        sent = await Payloads(call.services.public_url).of(tx, [row["event_id"]])
    payload = msgspec.Raw(sent[row["event_id"]]) if row["event_id"] in sent else None
    return json(encode(render.document(WebhookDeliveries, row) | {"payload": payload}))


async def _redeliver(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await deliveries.redeliver(tx, call.path["id"], as_uuid(call.path["delivery_id"]), datetime.now(UTC))
    path = call.request.url.path.removesuffix("/redeliver")
    return json(render.record(WebhookDeliveries, row), 202, {"Location": f"{call.services.public_path}{path}"})


async def _redeliver_failed(call: Call) -> Response:
    now, number, some = datetime.now(UTC), 0, deliveries.AT_ONCE
    # Not until none is left: what is put in the queue may fail anew meanwhile, and would be found for ever.
    while some >= deliveries.AT_ONCE:
        async with call.transaction() as tx:
            some = await deliveries.redeliver_failed(tx, call.path["id"], call.body.failed_since, now)
        number += some
    return json(encode({"redelivered": number}))
