"""Whole jobs through the API: 10^5 and 10^6 values in and out, their time against raw COPY, and the server's memory.

    python -m bench.transfers [rows ...]

The time is the job's own, from its start to its end; raw COPY is of the same ready rows, binary, into the same table
with its indexes, or out of it as text. Memory is the server's process (API and worker in one), above what it had idle.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil

from bench.requests import Server, serving
from bench.values import empty, raw_export, raw_import, timed, vacuum, write_json, write_lean
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller

INSTRUMENTS = 400


def main(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        seed(server)
        print(f"{'what':34} {'rows':>10} {'seconds':>8} {'rows/s':>9} {'of COPY':>8} {'memory':>9}")
        for rows in sizes:
            one_size(server, Path(directory), rows)


def one_size(server: Server, folder: Path, rows: int) -> None:
    lean, lean_json = folder / "lean.csv", folder / "lean.json"
    write_lean(lean, rows)
    write_json(lean_json, rows)
    copied_in = asyncio.run(on_database(server, "import", lean))
    asyncio.run(on_database(server, "empty", lean))
    for what, path, on_error in (
        ("import CSV, continue", lean, "continue"),
        ("import CSV, abort", lean, "abort"),
        ("import JSON, continue", lean_json, "continue"),
    ):
        with memory_above_idle(server) as grown:
            job = imported(server, path, on_error)
        report(what, rows, seconds(job), copied_in, grown)
        if what != "import JSON, continue":
            asyncio.run(on_database(server, "empty", lean))
    copied_out = asyncio.run(on_database(server, "export", folder / "raw"))
    for file_format in ("csv", "json"):
        with memory_above_idle(server) as grown:
            job = finished(server, "exports", export(server, file_format))
        assert job["status"] == "completed", job
        report(f"export {file_format.upper()}", rows, seconds(job), copied_out, grown)
        (folder / f"full.{file_format}").write_bytes(httpx.get(job["download_url"], timeout=600).content)
    for file_format in ("csv", "json"):
        asyncio.run(on_database(server, "empty", lean))
        with memory_above_idle(server) as grown:
            job = imported(server, folder / f"full.{file_format}", "continue")
        report(f"import of that {file_format.upper()}, continue", rows, seconds(job), copied_in, grown)
    asyncio.run(on_database(server, "empty", lean))


def report(what: str, rows: int, took: float, raw: float, grown: list[int]) -> None:
    print(f"{what:34} {rows:10,} {took:8.2f} {rows / took:9,.0f} {raw / took:8.2f} {grown[0] >> 20:+6} MB", flush=True)


async def on_database(server: Server, what: str, path: Path) -> float:
    """Raw COPY in or out, or an empty table, on the server's own database; answers the seconds."""
    doctor = json.loads(server.command("doctor", "--json"))
    db = await Database.open(doctor["database"]["dsn"], app_connections=1, owner_connections=1)
    try:
        [workspace] = (await server_workspace(db),)
        caller = Caller(workspace, SYSTEM)
        if what == "import":
            return await raw_import(db, caller, path)
        if what == "export":
            await vacuum(db)
            return await timed(lambda: raw_export(db, caller, path))
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


def imported(server: Server, path: Path, on_error: str) -> dict[str, Any]:
    data = {"resource_type": "time_series_values", "on_error": on_error}
    with path.open("rb") as file:
        answer = server.client().post("/imports", files={"file": file}, data=data)
    assert answer.status_code == 202, answer.text
    job = finished(server, "imports", answer.json())
    assert (job["status"], job["rows_failed"]) == ("completed", 0), job
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
    main([int(size) for size in sys.argv[1:]] or [100_000, 1_000_000])
