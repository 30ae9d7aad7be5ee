"""Webhooks: how long from the commit of an event until an endpoint has it, one of ten endpoints hanging.

    python -m bench.webhooks [events]

The server is the product's own (`ptolemy serve`), PostgreSQL with fsync on; the endpoints are one process of their own
on the same machine. The time is from the answer to the request that made the change, which is behind its commit.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench.requests import Server, serving

GOOD = 9
EVENTS_A_SECOND = 20


def main(events: int) -> None:
    os.environ["PTOLEMY_WEBHOOK_ALLOW"] = "127.0.0.1/32"
    with ExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory())
        server = held.enter_context(serving(Path(folder)))
        asyncio.run(measure(server, server.admin(), events))


async def measure(server: Server, admin: httpx.Client, events: int) -> None:
    endpoints = Endpoints()
    await endpoints.open()
    try:
        hook(admin, endpoints.hanging)
        for _ in range(GOOD):
            hook(admin, endpoints.port)
        committed: dict[str, float] = {}
        for number in range(events):
            made = await asyncio.to_thread(create, admin, f"paced-{number}")
            committed[made] = time.perf_counter()
            await asyncio.sleep(1 / EVENTS_A_SECOND)
        await endpoints.have(GOOD * events)
        took = [at - committed[record] for record, at in endpoints.arrived if record in committed]
        told("commit to delivered, 1 of 10 endpoints hanging", took)

        endpoints.arrived.clear()
        began, before = time.perf_counter(), server.cpu_seconds()
        for number in range(events):
            await asyncio.to_thread(create, admin, f"burst-{number}")
        await endpoints.have(GOOD * events)
        seconds = time.perf_counter() - began
        spent = zip(server.cpu_seconds(), before, strict=True)
        ours, theirs = ((after - earlier) / (GOOD * events) * 1000 for after, earlier in spent)
        print(
            f"{'deliveries under load, with the writes':48} {GOOD * events / seconds:8,.0f}/s"
            f"   CPU of each: server {ours:.2f} ms, database {theirs:.2f} ms"
        )
    finally:
        await endpoints.close()


def told(what: str, took: Sequence[float]) -> None:
    p50, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
    print(f"{what:48} p50 {p50 * 1000:5.0f} ms   p95 {p95 * 1000:5.0f} ms   worst {max(took) * 1000:5.0f} ms")


def hook(admin: httpx.Client, port: int) -> None:
    made = admin.post("/webhooks", json={"url": f"http://127.0.0.1:{port}/"}).raise_for_status().json()
    admin.put(f"/webhooks/{made['id']}/subscriptions", json=["series.created"]).raise_for_status()


def create(admin: httpx.Client, identifier: str) -> str:
    return str(admin.post("/series", json={"identifier": identifier}).raise_for_status().json()["id"])


class Endpoints:
    """One that answers at once, for nine webhooks, and one that never does."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, float]] = []
        self.port = self.hanging = 0
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.StreamWriter] = set()
        self._wanted, self._enough = 0, asyncio.Event()

    async def open(self) -> None:
        answering = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        silent = await asyncio.start_server(self._hang, "127.0.0.1", 0)
        self._servers = [answering, silent]
        self.port, self.hanging = (each.sockets[0].getsockname()[1] for each in self._servers)

    async def close(self) -> None:
        for each in self._servers:
            each.close()
        for writer in self._connections:
            writer.close()
        await asyncio.sleep(0.1)

    async def have(self, number: int) -> None:
        self._wanted = number
        self._enough.clear()
        if len(self.arrived) < number:
            await self._enough.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                event = json.loads(await reader.readexactly(length))
                self.arrived.append((event["resource_id"], time.perf_counter()))
                if len(self.arrived) >= self._wanted:
                    self._enough.set()
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _hang(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            writer.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
