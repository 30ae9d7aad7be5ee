"""A load generator that costs little itself: keep-alive connections, each with one request at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What came of a run: answers a second, the slowest of the fastest 99 in 100, and how many weren't 2xx."""

    requests_per_second: float
    p99_ms: float
    refused: int


def request_bytes(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}"]
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


async def drive(port: int, make: Callable[[int], bytes], *, connections: int, count: int) -> Load:
    """Sends `count` requests, the n-th being `make(n)`, over so many connections."""
    numbers = iter(range(count))
    took: list[float] = []
    refused = 0

    async def one_connection() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            started = time.perf_counter()
            writer.write(make(number))
            status = await _answer(reader)
            took.append(time.perf_counter() - started)
            refused += not 200 <= status < 300
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one_connection() for _ in range(connections)))
    seconds = time.perf_counter() - started
    took.sort()
    return Load(len(took) / seconds, took[int(len(took) * 0.99)] * 1000, refused)


async def one_after_another(port: int, make: Callable[[int], bytes], go_on: Callable[[], bool]) -> list[float]:
    """The seconds of each request, one at a time on one connection, for as long as `go_on` says so."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took: list[float] = []
    while go_on():
        started = time.perf_counter()
        writer.write(make(len(took)))
        status = await _answer(reader)
        assert 200 <= status < 300, status
        took.append(time.perf_counter() - started)
    writer.close()
    return took


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    if length:
        await reader.readexactly(int(length))
    return int(head[9:12])
