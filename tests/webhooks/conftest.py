from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import asyncpg
import pytest

from tests import house
from tests.product import Workspace, answered
from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    """Makes more of them."""
    with ExitStack() as ends:
        yield lambda *args: ends.enter_context(receiving(*args))


@pytest.fixture
def hook(workspace: Workspace) -> Callable[..., dict[str, Any]]:
    """Makes a webhook that is subscribed; answers it with its secret."""

    def make(receiver: Receiver, *event_types: str) -> dict[str, Any]:
        made = workspace.create("webhooks", url=receiver.url)
        if event_types:
            answered(workspace.admin.put(f"/webhooks/{made['id']}/subscriptions", json=list(event_types)), 200)
        return made

    return make


@pytest.fixture
def execute(product_database_url: str) -> Callable[..., list[Any]]:
    """Runs a statement past the product; answers its rows."""

    async def run(statement: str, *args: object) -> list[Any]:
        driver = await asyncpg.connect(product_database_url)
        try:
            return list(await driver.fetch(statement, *args))
        finally:
            await driver.close()

    return lambda statement, *args: house.finished(run(statement, *args))
