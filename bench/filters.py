"""Filters, sorts, words and deep pages over 100,000 instruments with six custom fields.

    python -m bench.filters [instruments]

What filters ask for is indexed first, as the product does by itself a moment after the first such request.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bench.load import request_bytes
from bench.requests import Server, isin, report, seed, serving

Body = dict[str, Any]

PAGE_2000 = 2000
DEEP_LIMIT = 45
"""So that there are more than 2,000 pages of 100,000: the last one looks for nulls behind it, too."""


def main(instruments: int) -> None:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        seconds = seed(server, instruments)
        print(f"import of {instruments:,} instruments, CSV, an event a row: {instruments / seconds:,.0f} rows/s")
        print(f"first filter by a field, before there is an index: {first_filter(server):.0f} ms")
        indexed(server)
        base = f"/v1/workspaces/{server.workspace}/instruments"
        print(f"{'what':36} {'req/s':>8} {'p99 ms':>8} {'server ms':>10} {'database ms':>12} {'not 2xx':>8}")
        for what, count, make in requests(base, instruments):
            report(server, f"{what:36}", make(server.token), count)
        listing = request_bytes("GET", f"{base}?limit=50", server.token)
        report(server, f"{'list of 50, 16 clients':36}", lambda _: listing, 4000, connections=16)
        for keys in ("id", "identifier", "field.shares", "-field.shares", "-field.sector", "field.isin"):
            deep(server, base, keys)


def requests(base: str, instruments: int) -> list[tuple[str, int, Callable[[str], Callable[[int], bytes]]]]:
    def two_fields(n: int) -> Body:
        fields = [condition("field.sector", "eq", f"Sector {n % 11}"), condition("field.shares", "gte", n * 1000)]
        return {"filter": {"and": fields}, "sort": sort("-field.shares"), "limit": 50}

    def custom_range(n: int) -> Body:
        start = n * 7919 % instruments * 1000
        return {"filter": condition("field.shares", "gte", start), "sort": sort("field.shares"), "limit": 50}

    def built_in_range(n: int) -> Body:
        start = f"i{n * 7919 % instruments}"
        return {"filter": condition("identifier", "gte", start), "sort": sort("identifier"), "limit": 50}

    def count_custom(n: int) -> Body:
        return {"filter": condition("field.shares", "gte", (instruments - 1000 - n % 100) * 1000)}

    def count_by_type(_: int) -> Body:
        return {"type_id": "equity"}

    def one_isin(n: int) -> Body:
        return {"filter": condition("field.isin", "eq", isin(n % instruments))}

    def words(n: int) -> Body:
        return {"q": f"instr {n % instruments}", "limit": 50}

    def common_words(_: int) -> Body:
        return {"q": "instr"}

    found: list[tuple[str, int, str, Callable[[int], Body]]] = [
        ("list 50 by two fields and a sort", 4000, "filter", two_fields),
        ("range of a custom number", 4000, "filter", custom_range),
        ("range of a column", 4000, "filter", built_in_range),
        ("one by its ISIN, a custom text", 4000, "filter", one_isin),
        ("words that few have", 4000, "filter", words),
        ("a word that all have", 200, "filter", common_words),
        ("count 1,000 by a custom number", 1000, "count", count_custom),
        ("count all of a type", 200, "count", count_by_type),
        ("count by a word that all have", 200, "count", common_words),
    ]
    return [(what, count, posting(f"{base}/{operation}", body)) for what, count, operation, body in found]


def posting(path: str, body: Callable[[int], Body]) -> Callable[[str], Callable[[int], bytes]]:
    return lambda token: lambda n: request_bytes("POST", path, token, json.dumps(body(n)).encode())


def first_filter(server: Server) -> float:
    started = time.perf_counter()
    body = {"filter": condition("field.industry", "eq", "no such"), "limit": 50}
    server.client().post("/instruments/filter", json=body).raise_for_status()
    return (time.perf_counter() - started) * 1000


def indexed(server: Server) -> None:
    """Asks by each field and waits until its index is there."""
    client = server.client()
    keys = ("industry", "isin", "sector", "shares")
    for key in keys:
        client.post("/instruments/filter", json={"sort": sort(f"field.{key}"), "limit": 1}).raise_for_status()
    started = time.perf_counter()
    dsn = json.loads(server.command("doctor", "--json"))["database"]["dsn"]
    while asyncio.run(_ready(dsn)) < len(keys):
        time.sleep(0.1)
    print(f"{len(keys)} indexes of custom fields: {time.perf_counter() - started:.1f} s")


async def _ready(dsn: str) -> int:
    driver = await asyncpg.connect(dsn)
    try:
        return int(await driver.fetchval("select count(*) from custom_field_indexes where state = 'ready'"))
    finally:
        await driver.close()


def deep(server: Server, base: str, key: str) -> None:
    """The cost of page 2,000 against that of page 1, by turns on one connection."""
    client = httpx.Client(base_url=server.url, headers=server.headers)

    def page(after: str | None) -> str | None:
        body = {"sort": sort(key), "limit": DEEP_LIMIT, **({"after": after} if after else {})}
        answer = client.post(f"{base}/filter", json=body).json()
        found: str | None = answer["meta"]["next_cursor"]
        return found

    after, number = page(None), 2
    while after is not None and number < PAGE_2000 and (further := page(after)) is not None:
        after, number = further, number + 1
    first, last = (sorted(times)[len(times) // 2] for times in zip(*_by_turns(page, after), strict=True))
    print(f"sorted by {key}: page {number:,} against page 1: {last / first:.2f} times, {first:.2f} ms")


def _by_turns(page: Callable[[str | None], object], after: str | None) -> Iterator[tuple[float, float]]:
    for _ in range(200):
        started = time.perf_counter()
        page(None)
        turned = time.perf_counter()
        page(after)
        yield (turned - started) * 1000, (time.perf_counter() - turned) * 1000


def condition(field: str, op: str, value: Any) -> Body:
    return {"field": field, "op": op, "value": value}


def sort(key: str) -> list[Body]:
    return [{"field": key.lstrip("-"), "direction": "desc" if key.startswith("-") else "asc"}]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
