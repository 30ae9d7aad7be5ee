"""Webhooks over HTTP: a resource like any other, with a secret that is shown once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema, create_model
from starlette.responses import Response

from ptolemy.api import conditions
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, Handlers, resource_operations
from ptolemy.api.services import Call
from ptolemy.api.webhook_delivery_operations import delivery_operations
from ptolemy.api.webhook_subscription_operations import subscription_operations
from ptolemy.engine import render
from ptolemy.engine.etags import etag
from ptolemy.engine.schemas import schemas
from ptolemy.kernel.json import encode
from ptolemy.kernel.timestamps import write_timestamp
from ptolemy.webhooks import endpoints
from ptolemy.webhooks.resource import WEBHOOKS, WebhookDeliveries, Webhooks

_models = schemas(Webhooks)
_Secret = Annotated[Any, WithJsonSchema({"type": "string", "pattern": "^whsec_"})]
_Instant = Annotated[Any, WithJsonSchema({"type": "string", "format": "date-time"})]
WebhookWithSecret = create_model(
    "WebhookWithSecret",
    __base__=_models.record,
    __doc__="A webhook and the secret that signs its deliveries, which is shown this once.",
    secret=(_Secret, ...),
)
RotatedWebhook = create_model(
    "RotatedWebhook",
    __base__=WebhookWithSecret,
    __doc__="A webhook and its new secret, which is shown this once; the one before signs too until then.",
    previous_secret_signs_until=(_Instant, ...),
)


def webhook_operations() -> list[Operation]:
    many = f"{WORKSPACE}/webhooks"
    one, find = f"{many}/{{id}}", WebhookHandlers(WEBHOOKS).find
    tested: dict[int, type[BaseModel] | None] = {202: schemas(WebhookDeliveries).record}
    rotated: dict[int, type[BaseModel] | None] = {200: RotatedWebhook}
    return [
        *(_showing_the_secret(each) for each in resource_operations(WEBHOOKS, WebhookHandlers)),
        Operation(
            "POST",
            f"{one}/rotate-secret",
            _rotate,
            "Give a webhook a new secret",
            "webhooks",
            "admin",
            rotated,
            find=find,
        ),
        Operation(
            "POST",
            f"{one}/test",
            _test,
            "Send a webhook an event to try it out",
            "webhooks",
            "admin",
            tested,
            find=find,
        ),
        *subscription_operations(one, find),
        *delivery_operations(one, find),
    ]


def _showing_the_secret(operation: Operation) -> Operation:
    creates = operation.method == "POST" and operation.path.endswith("/webhooks")
    return replace(operation, answers={201: WebhookWithSecret}, problems=(403, 409)) if creates else operation


class WebhookHandlers(Handlers):
    """An address is looked at before anything is written: names have to be resolved."""

    async def create(self, call: Call) -> Response:
        sent = call.sent()
        await endpoints.admit(call.services.webhook_guard, sent["url"])
        async with call.transaction() as tx:
            row, secret = await endpoints.create_webhook(tx, call.services.sealer, sent)
        headers = {**call.location(row["id"]), "ETag": etag(Webhooks, row), "Cache-Control": "no-store"}
        return json(encode(render.document(Webhooks, row) | {"secret": secret}), 201, headers)

    async def patch(self, call: Call) -> Response:
        sent, expected = call.sent(), conditions.expected(call.request)
        if "url" in sent:
            await self.find_changeable(call)
            await endpoints.admit(call.services.webhook_guard, sent["url"])
        async with call.transaction() as tx:
            row = await endpoints.change_webhook(tx, call.path["id"], sent, expected=expected)
        return self.answer(row)

    async def delete(self, call: Call) -> Response:
        asked, expected = call.query, conditions.expected(call.request)
        async with call.transaction() as tx:
            await endpoints.remove_webhook(tx, call.path["id"], cascade=asked.cascade, expected=expected)
        return no_content()


async def _rotate(call: Call) -> Response:
    async with call.transaction() as tx:
        row, secret, until = await endpoints.rotate_secret(tx, call.services.sealer, call.path["id"])
    shown = {"secret": secret, "previous_secret_signs_until": write_timestamp(until)}
    return json(encode(render.document(Webhooks, row) | shown), 200, {"Cache-Control": "no-store"})


async def _test(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await endpoints.test_webhook(tx, call.path["id"], datetime.now(UTC))
    path = call.request.url.path.removesuffix("/test")
    location = f"{call.services.public_path}{path}/deliveries/{row['id']}"
    return json(render.record(WebhookDeliveries, row), 202, {"Location": location})
