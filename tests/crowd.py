"""Many clients that ask together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

import httpx

from tests.product import Workspace, answered

T = TypeVar("T")

CLIENTS = 16


@contextmanager
def crowd(workspace: Workspace) -> Iterator[list[httpx.Client]]:
    """Sixteen clients of one robot, connected already, so that they start together."""
    token = workspace.token("member")
    opened = [workspace.client(token) for _ in range(CLIENTS)]
    for client in opened:
        answered(client.get("/"), 200)
    yield opened
    for client in opened:
        client.close()


def at_once(clients: Sequence[httpx.Client], ask: Callable[[httpx.Client, int], T]) -> list[T]:
    """The answers to all clients, which ask together."""
    start = Barrier(len(clients))

    def one(number: int) -> T:
        start.wait()
        return ask(clients[number], number)

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(one, range(len(clients))))


def statuses(answers: Sequence[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)
