"""A whole workspace, 100,000 instruments with six custom fields and 10^6 values: backup, restore, rehearsal, removal.

    python -m bench.backups [instruments] [values]

The time is the job's own, from its start to its end, and of a rehearsal that of each step. Memory is the server's
process (API and worker in one), above what it had idle. The backup of the restored workspace is compared byte by byte.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bench.requests import Server, seed, serving
from bench.transfers import finished, imported, memory_above_idle, seconds

PART_BYTES = 50_000_000


def main(instruments: int, values: int) -> None:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        fill(server, Path(directory), instruments, values)
        print(f"{instruments:,} instruments and their events, {values:,} values")
        print(f"{'what':30} {'seconds':>8} {'memory':>9}")
        archive = Path(directory) / "backup.zip"
        backed_up(server, "backup", archive)
        rehearsed(server, archive)
        copy = restored(server, archive)
        again = Path(directory) / "again.zip"
        backed_up(copy, "backup of the restored", again)
        same = files_of(archive) == files_of(again)
        print(f"{archive.stat().st_size:,} bytes; restored and backed up again: {'the same' if same else 'DIFFERENT'}")
        removed(copy)
        if not same:
            sys.exit(1)


def fill(server: Server, folder: Path, instruments: int, values: int) -> None:
    seed(server, instruments)
    server.admin().post("/series", json={"identifier": "close-price", "kind": "scalar"}).raise_for_status()
    path, first = folder / "values.csv", datetime(2000, 1, 3, tzinfo=UTC)
    with path.open("w") as file:
        file.write("instrument,type_id,timestamp,value\n")
        for number in range(values):
            instant = first + timedelta(days=number // instruments)
            file.write(f"i{number % instruments},close-price,{instant:%Y-%m-%d},{number * 7919 % 100_000 / 1000:.3f}\n")
    imported(server, path, "abort")


def backed_up(server: Server, what: str, path: Path) -> None:
    with memory_above_idle(server) as grown:
        job = server.admin().post("/exports", json={"resource_type": "workspace"}).raise_for_status().json()
        job = finished(server, "exports", job)
    assert job["status"] == "completed", job
    report(what, seconds(job), grown)
    told = server.admin().get(f"/exports/{job['id']}").json()  # a robot is shown no address
    path.write_bytes(httpx.get(told["download_url"], timeout=600).content)


def rehearsed(server: Server, archive: Path) -> None:
    upload = sent(server, archive)
    with memory_above_idle(server) as grown:
        job = server.client().post("/backups/rehearse", json={"upload_id": upload}).raise_for_status().json()
        job = finished(server, "backups/rehearsals", job)
    assert job["result"] == "passed", job
    report("rehearsal", seconds(job), grown)
    for step, took in job["seconds"].items():
        print(f"  {step:28} {took:8.2f}")


def restored(server: Server, archive: Path) -> Server:
    """The new workspace, as the person who made it uses it."""
    admin = server.admin()
    httpx.post(f"{server.url}/v1/workspaces", json={"slug": "copy"}, headers=admin.headers).raise_for_status()
    copy = Copy(server, admin.headers["authorization"].removeprefix("Bearer "))
    said = {"resource_type": (None, "workspace"), "upload_id": (None, sent(copy, archive))}
    with memory_above_idle(server) as grown:
        job = finished(copy, "imports", copy.client().post("/imports", files=said).raise_for_status().json())
    assert job["status"] == "completed", job
    report("restore", seconds(job), grown)
    return copy


class Copy(Server):
    """The same server, another workspace."""

    def __init__(self, server: Server, token: str) -> None:
        self.__dict__.update(server.__dict__)
        self.workspace, self.token, self.headers = "copy", token, {"Authorization": f"Bearer {token}"}


def sent(server: Server, archive: Path) -> str:
    upload: dict[str, Any] = server.client().post("/uploads", json={}).raise_for_status().json()
    with archive.open("rb") as file:
        number = 0
        while block := file.read(PART_BYTES):
            number += 1
            server.client().put(f"/uploads/{upload['id']}/parts/{number}", content=block).raise_for_status()
    return str(upload["id"])


def files_of(archive: Path) -> bytes:
    """All of it but the manifest and what stands behind that."""
    content = archive.read_bytes()
    return content[: content.rindex(b"PK\x03\x04")]


def removed(server: Server) -> None:
    """Until the last row is gone; access ended with the answer."""
    dsn = json.loads(server.command("doctor", "--json"))["database"]["dsn"]
    with memory_above_idle(server) as grown:
        started = time.perf_counter()
        server.client().delete("/", params={"confirm": "copy"}).raise_for_status()
        answered = time.perf_counter() - started
        while asyncio.run(_is_going(dsn)):
            time.sleep(0.05)
    report("removal, the answer", answered, [0])
    report("removal, all of it", time.perf_counter() - started, grown)


async def _is_going(dsn: str) -> bool:
    driver = await asyncpg.connect(dsn)
    try:
        return bool(await driver.fetchval("select exists (select from jobs where kind = 'workspace_removal')"))
    finally:
        await driver.close()


def report(what: str, took: float, grown: list[int]) -> None:
    print(f"{what:30} {took:8.2f} {grown[0] >> 20:+6} MB", flush=True)


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]]
    main(*sizes) if sizes else main(100_000, 1_000_000)
