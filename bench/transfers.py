"""Whole jobs through the API: values in and out, their time against raw COPY, the server's memory, and who waits.

    python -m bench.transfers [rows] [rounds]

The time is the job's own, from its start to its end; raw COPY is of the same ready rows, binary, into the same table
with its indexes, or out of it as text, measured in the same round. Figures are medians over the rounds. Memory is the
server's process (API and worker in one), the most it ever had above what it had idle.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import httpx
import psutil

from bench.load import one_after_another, request_bytes
from bench.requests import Server, serving
from bench.values import empty, raw_export, raw_import, spoil, timed, vacuum, write_bad, write_json, write_lean
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller

INSTRUMENTS = 400
FORMATS = ("csv", "json", "parquet")


@dataclass
class Figures:
    """Of one kind of job, round by round."""

    took: list[float] = field(default_factory=list)
    of_copy: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def main(rows: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        seed(server)
        figures: dict[str, Figures] = defaultdict(Figures)
        for _ in range(rounds):
            one_round(server, Path(directory), rows, figures)
        print(
            f"{'what':44} {'seconds':>8} {'rows/s':>9} {'of COPY':>8} {'memory':>9}   ({rows:,} rows, {rounds} rounds)"
        )
        for what, found in figures.items():
            took, ratio, memory = median(found.took), median(found.of_copy), max(found.memory) >> 20
            spread = f"{min(found.of_copy):.2f}..{max(found.of_copy):.2f}"
            print(f"{what:44} {took:8.2f} {rows / took:9,.0f} {ratio:8.2f} {memory:+6} MB   {spread}", flush=True)
        print()
        writers_during_exports(server, rounds)


def one_round(server: Server, folder: Path, rows: int, figures: dict[str, Figures]) -> None:
    lean, lean_json, bad = folder / "lean.csv", folder / "lean.json", folder / "bad.csv"
    write_lean(lean, rows)
    write_json(lean_json, rows)
    refused = write_bad(bad, rows)
    copied = asyncio.run(on_database(server, "import", lean))

    def into(what: str, path: Path, on_error: str, before: str = "empty", failed: int | None = 0) -> None:
        asyncio.run(on_database(server, before, lean))
        with memory_above_idle(server) as grown:
            job = imported(server, path, on_error, failed)
        note(figures[what], seconds(job), copied, grown)

    into("import CSV, continue", lean, "continue")
    into("import CSV, abort", lean, "abort")
    into("import CSV, continue, 4 bad rows in 1,000", bad, "continue", failed=refused)
    into("import CSV, continue, conflicts in every batch", lean, "continue", "spoil", failed=None)
    into("import JSON, continue", lean_json, "continue")
    copied_out = asyncio.run(on_database(server, "export", folder / "raw"))
    for file_format in FORMATS:
        with memory_above_idle(server) as grown:
            job = finished(server, "exports", export(server, file_format))
        assert job["status"] == "completed", job
        note(figures[f"export {file_format}"], seconds(job), copied_out, grown)
        (folder / f"full.{file_format}").write_bytes(httpx.get(job["download_url"], timeout=600).content)
    for file_format in FORMATS:
        into(f"import of that {file_format}, continue", folder / f"full.{file_format}", "continue")


def note(found: Figures, took: float, copied: float, grown: list[int]) -> None:
    found.took.append(took)
    found.of_copy.append(copied / took)
    found.memory.append(grown[0])


def writers_during_exports(server: Server, rounds: int) -> None:
    """What one writer at a time waits, alone and while all values are exported, by turns."""
    token, numbers = server.token, count()

    def create(_: int) -> bytes:
        body = {"identifier": f"w{next(numbers)}", "name": "W", "type_id": "equity"}
        return request_bytes("POST", f"/v1/workspaces/{server.workspace}/instruments", token, json.dumps(body).encode())

    def until(ended: Callable[[], bool]) -> list[float]:
        return asyncio.run(one_after_another(server.port, create, lambda: not ended()))

    alone: list[float] = []
    beside: list[float] = []
    with ThreadPoolExecutor(1) as watching:
        for _ in range(rounds * 2):
            quiet = watching.submit(time.sleep, 2)
            alone += until(quiet.done)
            exported = watching.submit(finished, server, "exports", export(server, "csv"))
            beside += until(exported.done)
    for what, took in (("a writer alone", alone), ("a writer while values are exported", beside)):
        took.sort()
        p50, p99 = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.99))
        print(f"{what:44} p50 {p50:6.2f} ms  p99 {p99:6.2f} ms   ({len(took):,} requests)", flush=True)


async def on_database(server: Server, what: str, path: Path) -> float:
    """Raw COPY in or out, an empty table, or one with a few values, on the server's own database; the seconds."""
    doctor = json.loads(server.command("doctor", "--json"))
    db = await Database.open(doctor["database"]["dsn"], app_connections=1, owner_connections=1)
    try:
        [workspace] = (await server_workspace(db),)
        caller = Caller(workspace, SYSTEM)
        if what == "import":
            await empty(db, caller)
            return await raw_import(db, caller, path)
        if what == "export":
            await vacuum(db)
            return await timed(lambda: raw_export(db, caller, path))
        if what == "spoil":
            await spoil(db, caller)
        else:
            await empty(db, caller)
        return 0.0
    finally:
        await db.close()


async def server_workspace(db: Database) -> UUID:
    async with db.session() as session:
        found: UUID = await session.driver.fetchval("select id from workspaces where slug = 'bench'")
        return found


def seed(server: Server) -> None:
    admin = server.admin()
    admin.post("/instrument-types", json={"identifier": "equity"}).raise_for_status()
    admin.post("/series", json={"identifier": "close-price", "kind": "scalar"}).raise_for_status()
    rows = [{"identifier": f"x{n}.ax", "name": "X", "type_id": "equity"} for n in range(INSTRUMENTS)]
    files = {"file": json.dumps(rows).encode()}
    job = server.client().post("/imports", files=files, data={"resource_type": "instruments"}).json()
    assert finished(server, "imports", job)["rows_imported"] == INSTRUMENTS


def imported(server: Server, path: Path, on_error: str, failed: int | None = 0) -> dict[str, Any]:
    """The job of a file; `failed` rows are refused, None being some."""
    data = {"resource_type": "time_series_values", "on_error": on_error}
    with path.open("rb") as file:
        answer = server.client().post("/imports", files={"file": file}, data=data)
    assert answer.status_code == 202, answer.text
    job = finished(server, "imports", answer.json())
    assert job["status"] == "completed", job
    assert job["rows_failed"] == failed or (failed is None and job["rows_failed"]), job
    return job


def export(server: Server, file_format: str) -> dict[str, Any]:
    asked = {"resource_type": "time_series_values", "format": file_format, "include_archived": True}
    job: dict[str, Any] = server.client().post("/exports", json=asked).json()
    return job


def finished(server: Server, kind: str, job: dict[str, Any]) -> dict[str, Any]:
    client = server.client()
    while job["status"] in ("queued", "processing"):
        time.sleep(0.1)
        job = client.get(f"/{kind}/{job['id']}").json()
    return job


def seconds(job: dict[str, Any]) -> float:
    return (datetime.fromisoformat(job["completed_at"]) - datetime.fromisoformat(job["started_at"])).total_seconds()


@contextmanager
def memory_above_idle(server: Server) -> Iterator[list[int]]:
    """The most that the server's resident memory grew inside the block, in bytes."""
    idle, most, ended = server.idle_bytes, [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            most[0] = max(most[0], psutil.Process(server.process.pid).memory_info().rss - idle)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        ended.set()
        watching.join()


if __name__ == "__main__":
    main(*(int(each) for each in [*sys.argv[1:], "1000000", "5"][:2]))
