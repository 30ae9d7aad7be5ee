"""Requests against 100,000 instruments with six custom fields: list of 50, get, create, and how deep pages cost.

    python -m bench.requests [instruments]

The server is the product's own (`ptolemy serve`), PostgreSQL with fsync on; both share the machine with the load
generator. CPU is that of the server's process and of PostgreSQL's, a request.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from bench.load import Load, drive, request_bytes

FIELDS = ("isin", "sector", "industry", "shares", "listed", "active")
CONNECTIONS = 8
EMAIL, PASSWORD = "bench@example.com", "a long password"


def main(instruments: int) -> None:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        seconds = seed(server, instruments)
        print(f"import of {instruments:,} instruments, CSV, an event a row: {instruments / seconds:,.0f} rows/s")
        print(f"{'what':28} {'req/s':>8} {'p99 ms':>8} {'server ms':>10} {'database ms':>12} {'not 2xx':>8}")
        base = f"/v1/workspaces/{server.workspace}/instruments"
        get, token = "GET", server.token
        report(server, "list of 50", lambda _: request_bytes(get, f"{base}?limit=50", token), 4000)
        report(server, "list of 50, by type", lambda _: request_bytes(get, f"{base}?type_id=equity", token), 4000)
        report(server, "get by identifier", lambda n: request_bytes(get, f"{base}/i{n % instruments}", token), 8000)
        report(server, "create, with its event", lambda n: creation(base, token, n), 4000)
        pages(server, base)


def report(
    server: Server, what: str, make: Callable[[int], bytes], count: int, *, connections: int = CONNECTIONS
) -> None:
    asyncio.run(drive(server.port, make, connections=connections, count=count // 10))
    before = server.cpu_seconds()
    load: Load = asyncio.run(drive(server.port, lambda n: make(n + count // 10), connections=connections, count=count))
    spent = zip(server.cpu_seconds(), before, strict=True)
    ours, theirs = ((after - earlier) / count * 1000 for after, earlier in spent)
    print(f"{what:28} {load.requests_per_second:8,.0f} {load.p99_ms:8.1f} {ours:10.2f} {theirs:12.2f} {load.refused:8}")


def pages(server: Server, base: str) -> None:
    """The cost of page 2,000 against that of page 1, on one connection."""
    client, after, took = httpx.Client(base_url=server.url, headers=server.headers), None, []
    for number in range(2000):
        started = time.perf_counter()
        page = client.get(base, params={"limit": 50, **({"after": after} if after else {})}).json()
        took.append(time.perf_counter() - started)
        after = page["meta"]["next_cursor"]
        if after is None:
            break
        del number
    first, last = sorted(took[:50])[25], sorted(took[-50:])[25]
    print(f"page {len(took):,} against page 1: {last / first:.2f} times (medians of 50)")


def creation(base: str, token: str, number: int) -> bytes:
    body = {
        "identifier": f"new-{number}",
        "name": f"New {number}",
        "type_id": "equity",
        "field_values": {"sector": "Energy", "shares": str(number)},
    }
    return request_bytes("POST", base, token, json.dumps(body).encode())


class Server:
    """The product under load."""

    def __init__(
        self, process: subprocess.Popen[bytes], port: int, token: str, workspace: str, command: Callable[..., str]
    ) -> None:
        self.process, self.port, self.token, self.workspace = psutil.Process(process.pid), port, token, workspace
        self.command, self.idle_bytes = command, self.process.memory_info().rss
        self.postmaster = _postmaster(command("doctor", "--json"))
        self.url, self.headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {token}"}

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else self.headers
        return httpx.Client(base_url=f"{self.url}/v1/workspaces/{self.workspace}", headers=headers, timeout=600)

    def admin(self) -> httpx.Client:
        login = {"email": EMAIL, "password": PASSWORD}
        return self.client(httpx.post(f"{self.url}/v1/auth/login", json=login).json()["access_token"])

    def cpu_seconds(self) -> tuple[float, float]:
        """Of the server, and of PostgreSQL."""
        ours = self.process.cpu_times()
        # Those of this server alone: others may run beside it.
        theirs = [each.cpu_times() for each in self.postmaster.children(recursive=True)]
        return ours.user + ours.system, sum(times.user + times.system for times in theirs)


def _postmaster(doctor: str) -> psutil.Process:
    async def parent() -> psutil.Process:
        driver = await asyncpg.connect(json.loads(doctor)["database"]["dsn"])
        try:
            found = psutil.Process(await driver.fetchval("select pg_backend_pid()")).parent()
            assert found is not None
            return found
        finally:
            await driver.close()

    return asyncio.run(parent())


PROGRAM = Path(sys.executable).with_name("ptolemy")


@contextmanager
def serving(folder: Path, program: Path = PROGRAM) -> Iterator[Server]:
    """`program` is `ptolemy`, this one or another version's."""
    folder.chmod(0o711)  # as root, PostgreSQL runs as another user and has to get through
    data, port = ("--data-dir", str(folder / "data")), _free_port()
    environment = {**os.environ, "PTOLEMY_LOG_LEVEL": "warning", "PTOLEMY_MAX_UPLOAD": "8GB"}

    def command(*arguments: str, said: str = "") -> str:
        return subprocess.run(
            [str(program), *arguments, *data], input=said, capture_output=True, text=True, check=True, env=environment
        ).stdout.strip()

    command("migrate")
    process = subprocess.Popen(
        [str(program), "serve", "--port", str(port), *data], stdout=subprocess.DEVNULL, env=environment
    )
    try:
        _wait_until_ready(port)
        command("workspace", "create", "bench")
        person = ("user", "create", EMAIL, "--workspace", "bench", "--role", "admin", "--password-stdin")
        command(*person, said=f"{PASSWORD}\n")
        token = command("token", "create", "--workspace", "bench", "--robot", "load").splitlines()[-1]
        yield Server(process, port, token, "bench", command)
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    """So that two runs on one machine don't measure, and fill, one server."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def _wait_until_ready(port: int) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the server didn't start")


def seed(server: Server, instruments: int) -> float:
    """The schema and the instruments; answers the seconds that the import took."""
    admin = server.admin()
    admin.post("/instrument-types", json={"identifier": "equity"}).raise_for_status()
    kinds = {"shares": "number", "listed": "date", "active": "boolean"}
    for order, key in enumerate(FIELDS):
        body = {"type_id": "equity", "field_key": key, "data_type": kinds.get(key, "text"), "display_order": order}
        admin.post("/instrument-type-fields", json=body).raise_for_status()
    started = time.perf_counter()
    job: dict[str, Any] = (
        server.client()
        .post("/imports", files={"file": instruments_csv(instruments)}, data={"resource_type": "instruments"})
        .json()
    )
    while job["status"] in ("queued", "processing"):
        time.sleep(0.2)
        job = server.client().get(f"/imports/{job['id']}").json()
    assert job["rows_imported"] == instruments, job
    return time.perf_counter() - started


def instruments_csv(count: int) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["identifier", "name", "type_id", *(f"field.{key}" for key in FIELDS)])
    for n in range(count):
        row = [isin(n), f"Sector {n % 11}", f"Industry {n % 60}", str(n * 1000), f"20{n % 20:02}-01-02", "true"]
        writer.writerow([f"i{n}", f"Instrument {n}", "equity", *row])
    return out.getvalue().encode()


def isin(number: int) -> str:
    """A number of ours in the form of an ISIN, with its check digit (ISO 6166, by the Luhn algorithm)."""
    body = f"AU{number:09}"
    digits = "".join(str(int(letter, 36)) for letter in body)
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits)))
    return f"{body}{-sum(value // 10 + value % 10 for value in doubled) % 10}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
