"""Whether the server is alive, and whether it is ready."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.database.sql import Sql


class Health(BaseModel):
    status: str


def health_operations() -> list[Operation]:
    return [
        Operation("GET", "/healthz", _alive, "Is the server alive?", "operations", "anyone", {200: Health}),
        Operation("GET", "/readyz", _ready, "Is the server ready?", "operations", "anyone", {200: Health}),
    ]


async def _alive(call: Call) -> Response:
    return json(b'{"status":"alive"}')


async def _ready(call: Call) -> Response:
    """Ready once the database answers; it was migrated before the server began to listen."""
    await call.services.database.row(Sql("select 1"))
    return json(b'{"status":"ready"}')
