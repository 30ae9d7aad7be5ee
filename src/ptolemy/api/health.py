"""Whether the server is alive, and whether it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.database.migrations import pending
from ptolemy.kernel.problems import Problem

_PATIENCE_SECONDS = 5


class NotReady(Problem):
    status: ClassVar[int] = 503
    title: ClassVar[str] = "Not ready"


class Health(BaseModel):
    status: str


def health_operations() -> list[Operation]:
    return [
        Operation("GET", "/healthz", _alive, "Is the server alive?", "operations", "anyone", {200: Health}),
        Operation(
            "GET", "/readyz", _ready, "Is the server ready?", "operations", "anyone", {200: Health}, problems=(503,)
        ),
    ]


async def _alive(call: Call) -> Response:
    return json(b'{"status":"alive"}')


async def _ready(call: Call) -> Response:
    """Ready once the database and the file store answer, and the schema is this version's; a 503 says what isn't."""
    async with _patience("the database"):
        if not await call.services.database.answers():
            raise _not_ready("the database")
        async with call.services.database.outside() as driver:
            if missing := await pending(driver):
                raise NotReady("not_ready", f"the database lacks migration {missing[0]}: run `ptolemy migrate`")
    async with _patience("the file store"):
        await call.services.files.check()
    return json(b'{"status":"ready"}')


@asynccontextmanager
async def _patience(part: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            yield
    except TimeoutError:
        raise _not_ready(part) from None


def _not_ready(part: str) -> NotReady:
    return NotReady("not_ready", f"{part} doesn't answer: run `ptolemy doctor`")
