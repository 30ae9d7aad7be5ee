"""Memory that stays flat: 10^5, 10^6 and 10^7 values in and out through the API, and the largest file compared.

    python -m bench.long [rows ...]

The peak is that of the server's process (API and worker in one) above what it had idle. 10^7 values are 476 MB of CSV
and a gigabyte of JSON; exported, with their ids and times, 1.8 and 3.2 GB. Each file that is exported
is imported into the emptied workspace and exported again: the two files must be equal.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.requests import Server, serving
from bench.transfers import export, finished, imported, memory_above_idle, on_database, seconds, seed
from bench.values import write_json, write_lean

FORMATS = ("csv", "json")


def main(sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        seed(server)
        print(f"{'what':32} {'rows':>11} {'file':>9} {'seconds':>8} {'rows/s':>9} {'peak above idle':>16}")
        for rows in sizes:
            one_size(server, Path(directory), rows)


def one_size(server: Server, folder: Path, rows: int) -> None:
    for file_format, write in (("csv", write_lean), ("json", write_json)):
        sent = folder / f"sent.{file_format}"
        write(sent, rows)
        one_format(server, folder, file_format, sent)
        sent.unlink()


def one_format(server: Server, folder: Path, file_format: str, sent: Path) -> None:
    called, there, back = file_format.upper(), folder / "there", folder / "back"
    asyncio.run(on_database(server, "empty", sent))
    watched(server, f"import {called}, continue", sent, lambda: imported(server, sent, "continue"))
    watched(server, f"export {called}", there, lambda: download(server, file_format, there))
    asyncio.run(on_database(server, "empty", there))
    watched(server, f"import of that {called}, continue", there, lambda: imported(server, there, "continue"))
    watched(server, f"export {called} again", back, lambda: download(server, file_format, back))
    if digest(there) != digest(back):
        sys.exit(f"the {called}, exported, imported and exported again, is another file")
    print(f"{'  equal, by SHA-256':32} {'':11} {there.stat().st_size / 1e6:6.0f} MB", flush=True)
    asyncio.run(on_database(server, "empty", there))
    there.unlink()
    back.unlink()


def watched(server: Server, what: str, file: Path, work: Callable[[], dict[str, Any]]) -> None:
    """Does the work and prints a line of the table."""
    with memory_above_idle(server) as grown:
        job = work()
    rows, took = job["row_count"], seconds(job)
    print(
        f"{what:32} {rows:11,} {file.stat().st_size / 1e6:6.0f} MB {took:8.2f} {rows / took:9,.0f}"
        f" {grown[0] >> 20:13} MB",
        flush=True,
    )


def download(server: Server, file_format: str, path: Path) -> dict[str, Any]:
    job = finished(server, "exports", export(server, file_format))
    assert job["status"] == "completed", job
    with path.open("wb") as file, httpx.stream("GET", job["download_url"], timeout=600) as answer:
        for block in answer.iter_bytes(1 << 20):
            file.write(block)
    assert digest(path) == job["sha256"]
    return job


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [100_000, 1_000_000, 10_000_000])
