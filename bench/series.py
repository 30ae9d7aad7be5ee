"""One series read as JSON and as an Arrow stream, and batches of ten thousand values in one POST.

    python -m bench.series [values]

The server is the product's own (`ptolemy serve`), PostgreSQL with fsync on; the client and both share the machine.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from bench.requests import Server, serving

BARS, BATCH, ROUNDS = 2_500, 10_000, 9
ITEMS = ("open", "high", "low", "close", "volume")
ARROW = {"Accept": "application/vnd.apache.arrow.stream"}
FIRST = datetime(2000, 1, 3, tzinfo=UTC)


def main(values: int) -> None:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server, server.client() as client:
        seed(server)
        idle = server.process.memory_info().rss
        batches(client)
        load(server, "time_series_values", closes(values))
        load(server, "composite_time_series_values", bars())
        series(server, client, values, idle)


def batches(client: httpx.Client) -> None:
    """Ten thousand values of one series, in one request."""
    for path, record in (("time-series-values", scalar), ("composite-time-series-values", composite)):
        for what, on_conflict, first, changed in (
            ("created", "error", 0, 0),
            ("changed", "update", 0, 1),
            ("the same", "update", 0, 1),
        ):
            took = []
            for number in range(ROUNDS):
                start = first + number * BATCH
                records = [record(n, changed) for n in range(start, start + BATCH)]
                body = json.dumps({"data": records, "on_conflict": on_conflict}).encode()
                took.append(timed(lambda: client.post(f"/{path}/batch", content=body, headers=_JSON)))  # noqa: B023 - runs at once
            report(f"batch of {BATCH:,}, {what}, {path}", took, BATCH)


_JSON = {"Content-Type": "application/json"}


def series(server: Server, client: httpx.Client, values: int, idle: int) -> None:
    path = "/time-series-values/series"
    ohlcv = {"instrument_id": "bars", "type_id": "ohlcv"}
    closes = {"instrument_id": "closes", "type_id": "close"}
    report(f"{BARS:,} bars as JSON", [timed(lambda: client.get(path, params=ohlcv)) for _ in range(30)], BARS)
    for numbers in ("decimal", "float64", "string"):
        asked = {**closes, "numbers": numbers}
        took = [timed(lambda: _table(client, path, asked, values)) for _ in range(ROUNDS)]  # noqa: B023 - runs at once
        report(f"{values:,} values as Arrow, {numbers}", took, values)
    for accept in ("text/csv", "application/json"):
        headers = {"Accept": accept}
        took = [timed(lambda: client.get(path, params=closes, headers=headers)) for _ in range(3)]  # noqa: B023 - runs at once
        report(f"{values:,} values as {accept}", took, values)
    peak = server.process.memory_info().rss
    print(f"memory of the server: {idle >> 20} MB before, {peak >> 20} MB after")


def _table(client: httpx.Client, path: str, asked: dict[str, str], values: int) -> httpx.Response:
    """As a client reads it, to the table."""
    answer = client.get(path, params=asked, headers=ARROW)
    assert pa.ipc.open_stream(answer.content).read_all().num_rows == values
    return answer


def timed(ask: Callable[[], httpx.Response]) -> float:
    started = time.perf_counter()
    ask().raise_for_status()
    return time.perf_counter() - started


def report(what: str, took: list[float], values: int) -> None:
    median = statistics.median(took)
    print(f"{what:64} {median * 1000:8.1f} ms {values / median:11,.0f} values/s", flush=True)


def seed(server: Server) -> None:
    admin = server.admin()

    def create(collection: str, **body: Any) -> None:
        admin.post(f"/{collection}", json=body).raise_for_status()

    create("instrument-types", identifier="equity")
    create("series", identifier="close")
    create("series", identifier="ohlcv", kind="composite")
    for order, key in enumerate(ITEMS):
        create(
            "time-series-type-fields",
            type_id="ohlcv",
            field_key=key,
            data_type="number",
            is_required=True,
            allow_null=False,
            display_order=order,
        )
    for identifier in ("closes", "bars", "batch"):
        create("instruments", identifier=identifier, name=identifier, type_id="equity")


def load(server: Server, resource_type: str, lines: Iterator[str]) -> None:
    content = io.BytesIO("".join(lines).encode())
    with server.client() as client:
        form = {"resource_type": resource_type}
        job = client.post("/imports", files={"file": content}, data=form).raise_for_status().json()
        while job["status"] in ("queued", "processing"):
            time.sleep(0.2)
            job = client.get(f"/imports/{job['id']}").json()
    assert job["status"] == "completed", job


def closes(values: int) -> Iterator[str]:
    yield "instrument,type_id,timestamp,value\n"
    for n in range(values):
        yield f"closes,close,{instant(n)},{price(n)}\n"


def bars() -> Iterator[str]:
    yield f"instrument,type_id,timestamp,{','.join(f'item.{key}' for key in ITEMS)}\n"
    for n in range(BARS):
        yield f"bars,ohlcv,{instant(n)},{','.join(price(n + item) for item in range(len(ITEMS)))}\n"


def scalar(n: int, changed: int) -> dict[str, Any]:
    return {"instrument_id": "batch", "type_id": "close", "timestamp": instant(n), "value": price(n + changed)}


def composite(n: int, changed: int) -> dict[str, Any]:
    items = [{"field_key": key, "value": price(n + changed + item)} for item, key in enumerate(ITEMS)]
    return {"instrument_id": "batch", "type_id": "ohlcv", "timestamp": instant(n), "items": items}


def instant(n: int) -> str:
    return (FIRST + timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%SZ")


def price(n: int) -> str:
    return f"{n * 7919 % 100_000 / 1000:.3f}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
