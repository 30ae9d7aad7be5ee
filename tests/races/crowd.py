"""Many clients that ask at the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import httpx

from tests.product import Workspace, answered

CLIENTS = 16


@contextmanager
def crowd(workspace: Workspace, role: str = "member") -> Iterator[list[httpx.Client]]:
    """Connected already, so that they start together."""
    token = workspace.token(role)
    opened = [workspace.client(token) for _ in range(CLIENTS)]
    for client in opened:
        answered(client.get("/markets"), 200)
    yield opened
    for client in opened:
        client.close()


def at_once(clients: list[httpx.Client], ask: Callable[[httpx.Client, int], httpx.Response]) -> list[httpx.Response]:
    """The answers to all clients, which ask together."""
    start = Barrier(len(clients))

    def one(number: int) -> httpx.Response:
        start.wait()
        return ask(clients[number], number)

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(one, range(len(clients))))


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)
