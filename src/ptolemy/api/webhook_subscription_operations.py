"""What a webhook is subscribed to, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, RootModel
from starlette.responses import Response

from ptolemy.api.account_pages import PageQuery, page
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine.schemas import Body, PageOf
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.json import encode
from ptolemy.kernel.timestamps import write_timestamp
from ptolemy.webhooks.subscriptions import set_subscriptions, subscribe, subscriptions, unsubscribe

MOST = 200


class SubscriptionCreate(Body):
    """`*` is every event, `instrument.*` those of one resource."""

    event_type: Annotated[str, Field(max_length=200)]


_EventType = Annotated[
    SubscriptionCreate,
    BeforeValidator(
        lambda sent: {"event_type": sent} if isinstance(sent, str) else sent,
        json_schema_input_type=SubscriptionCreate | str,
    ),
]


class SubscriptionSet(RootModel[Annotated[list[_EventType], Field(max_length=MOST)]]):
    """All that a webhook is to be subscribed to: types of events, as text or as `{"event_type"}`."""


class Subscription(BaseModel):
    id: UUID
    webhook_id: UUID
    event_type: str
    created_at: datetime


class SubscriptionPage(PageOf[Subscription]):
    pass


def subscription_operations(webhook: str, find: Callable[[Call], Awaitable[object]]) -> list[Operation]:
    many = f"{webhook}/subscriptions"
    of = partial(Operation, tag="webhooks", find=find)
    return [
        of(
            "GET",
            many,
            _list,
            "List a webhook's subscriptions",
            access="viewer",
            answers={200: SubscriptionPage},
            query=PageQuery,
        ),
        of(
            "POST",
            many,
            _subscribe,
            "Subscribe a webhook",
            access="admin",
            answers={201: Subscription},
            body=SubscriptionCreate,
        ),
        of(
            "PUT",
            many,
            _set,
            "Set a webhook's subscriptions",
            access="admin",
            answers={200: SubscriptionPage},
            body=SubscriptionSet,
        ),
        of(
            "DELETE",
            f"{many}/{{subscription_id}}",
            _unsubscribe,
            "Unsubscribe a webhook",
            access="admin",
            answers={204: None},
        ),
    ]


async def _list(call: Call) -> Response:
    async with call.transaction() as tx:
        return await page(
            call,
            "subscriptions",
            lambda after, limit: subscriptions(tx, call.path["id"], after=after, limit=limit),
            _shown,
        )


async def _subscribe(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await subscribe(tx, call.path["id"], call.body.event_type)
    return json(encode(_shown(row)), 201, call.location(row["id"]))


async def _set(call: Call) -> Response:
    async with call.transaction() as tx:
        await set_subscriptions(tx, call.path["id"], [each.event_type for each in call.body.root])
        rows = await subscriptions(tx, call.path["id"], after=None, limit=MOST)
    meta = {"next_cursor": None, "has_more": False}
    return json(encode({"data": [_shown(row) for row in rows], "meta": meta}))


async def _unsubscribe(call: Call) -> Response:
    async with call.transaction() as tx:
        await unsubscribe(tx, call.path["id"], as_uuid(call.path["subscription_id"]))
    return no_content()


def _shown(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "webhook_id": row["webhook_id"],
        "event_type": row["event_type"],
        "created_at": write_timestamp(row["created_at"]),
    }
