"""Many clients that ask together."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx

from tests.product import Workspace, answered


def at_once(
    workspace: Workspace, token: str, clients: int, ask: Callable[[httpx.Client, int], httpx.Response]
) -> list[httpx.Response]:
    """The answers to so many clients of one caller, connected already."""
    start = Barrier(clients)

    def one(number: int) -> httpx.Response:
        with workspace.client(token) as client:
            answered(client.get("/"), 200)
            start.wait()
            return ask(client, number)

    with ThreadPoolExecutor(clients) as threads:
        return list(threads.map(one, range(clients)))
