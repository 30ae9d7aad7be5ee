"""The archive of a workspace with 10^6 scalar values, restored into workspaces that hold none, half, or all of them.

    python -m bench.restores [rows]

The time is the job's own; the archive's check is part of it. Beside it the import of the same values as a JSON file.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from copy import copy
from pathlib import Path
from typing import Any

import httpx

from bench.requests import Server, serving
from bench.transfers import INSTRUMENTS, export, finished, imported, memory_above_idle, on_database, seconds, seed
from bench.values import write_lean


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        folder = Path(directory)
        seed(server)
        write_lean(folder / "lean.csv", rows)
        imported(server, folder / "lean.csv", "abort")
        archive, values = folder / "workspace.zip", folder / "values.json"
        archive.write_bytes(download(server, finished(server, "exports", asked(server))))
        values.write_bytes(download(server, finished(server, "exports", export(server, "json"))))
        print(f"{'what':44} {'rows':>10} {'seconds':>8} {'rows/s':>9} {'memory':>9}")
        report(server, "all of them there, equal", rows, archive)
        change(server, rows // 10)
        report(server, "all of them there, a tenth changed", rows, archive)
        remove_half(server)
        report(server, "half of them there", rows, archive)
        asyncio.run(on_database(server, "empty", archive))
        report(server, "none of them there, their instruments are", rows, archive)
        report(server, "a dry run, all of them there", rows, archive, dry_run=True)
        asyncio.run(on_database(server, "empty", archive))
        with memory_above_idle(server) as grown:
            job = imported(server, values, "abort")
        tell("import of the same values, JSON, abort", rows, job, grown)
        other, person = copy(server), server.admin()
        person.post(f"{server.url}/v1/workspaces", json={"slug": "copy"}).raise_for_status()
        other.workspace = "copy"
        report(other, "into an empty workspace", rows, archive, into_existing=False)


def report(server: Server, what: str, rows: int, archive: Path, **options: Any) -> None:
    with memory_above_idle(server) as grown:
        data = {"resource_type": "workspace", "into_existing": True, **options}
        person = server.admin()
        with archive.open("rb") as file:
            job = person.post("/imports", files={"file": file}, data=data).raise_for_status().json()
        while job["status"] in ("queued", "processing"):
            time.sleep(0.1)
            job = person.get(f"/imports/{job['id']}").json()
    assert (job["status"], job["rows_failed"]) == ("completed", 0), job
    tell(what, rows, job, grown)


def tell(what: str, rows: int, job: dict[str, Any], grown: list[int]) -> None:
    took = seconds(job)
    print(f"{what:44} {rows:10,} {took:8.2f} {rows / took:9,.0f} {grown[0] >> 20:+6} MB", flush=True)


def asked(server: Server) -> dict[str, Any]:
    job: dict[str, Any] = server.admin().post("/exports", json={"resource_type": "workspace"}).json()
    return job


def download(server: Server, job: dict[str, Any]) -> bytes:
    assert job["status"] == "completed", job
    told = server.admin().get(f"/exports/{job['id']}").json()  # a robot is shown no address of a whole workspace
    return httpx.get(told["download_url"], timeout=600).content


def change(server: Server, rows: int) -> None:
    """The first so many values by id, whose series is the only one there is."""
    path, at_once = "/time-series-values/series", 10_000
    left = rows
    for number in range(INSTRUMENTS):
        named = {"instrument_id": f"x{number}.ax", "type_id": "close-price"}
        lines = server.client().get(path, params=named, headers={"Accept": "text/csv"}).text.splitlines()[1:]
        points = [{**named, "timestamp": line.split(",")[0], "value": "1"} for line in lines[: min(left, at_once)]]
        answer = server.client().post("/time-series-values/batch", json={"data": points, "on_conflict": "update"})
        assert answer.is_success, answer.text
        left -= len(points)
        if left <= 0:
            return


def remove_half(server: Server) -> None:
    for number in range(0, INSTRUMENTS, 2):
        answer = server.admin().delete(f"/instruments/x{number}.ax", params={"hard": "true", "cascade": "true"})
        assert answer.status_code == 204, answer.text


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000)
