"""What faults are tried on: the API, worker processes to kill, and a superuser who sees what is really there."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from ptolemy.database.embedded import start
from tests.product import NO_TLS, PATIENCE_SECONDS, Workspace, answered
from tests.serving import configured, serving, signed_in

WORK = Path(__file__).with_name("work.py")


class Sight:
    """Queries as the superuser, past row-level security, for tests that have no event loop."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self._loop = dsn, asyncio.Runner()
        self._driver: asyncpg.Connection | None = None

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self._loop.run(self._fetch(statement, values))]

    def column(self, statement: str, *values: object) -> list[Any]:
        return [next(iter(row.values())) for row in self.rows(statement, *values)]

    def value(self, statement: str, *values: object) -> Any:
        return next(iter(self.column(statement, *values)), None)

    def close(self) -> None:
        if self._driver:
            self._driver.terminate()
        self._loop.close()

    async def _fetch(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        if self._driver is not None:
            # A killed server says no farewell.
            with suppress(OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
                return list(await self._driver.fetch(statement, *values))
        self._driver = await asyncpg.connect(self.dsn)
        return list(await self._driver.fetch(statement, *values))


@dataclass
class Ground:
    """The API at `url` runs no jobs: only the workers that a test starts do."""

    dsn: str
    url: str
    files: Path
    scratch: Path
    admin_token: str
    sight: Sight
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    files_url: str = ""
    """Where the files are, unless they are in the folder."""
    keys: Callable[[], list[str]] | None = None
    """What is in the file store, where it is no folder."""
    log: Path | None = None
    """What the workers say; in the scratch folder, unless that has no room for it."""
    seen: list[str] = field(default_factory=list)
    """What came of works, in the words of the list of faults."""

    def workspace(self, *, empty: bool = False) -> Workspace:
        """A new one, with the schema that the files need or with nothing."""
        slug = f"w-{uuid4().hex}"
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        asked: dict[str, Any] = {
            "json": {"slug": slug},
            "headers": headers,
            "timeout": PATIENCE_SECONDS,
            "verify": NO_TLS,
        }
        answered(httpx.post(f"{self.url}/v1/workspaces", **asked), 201)
        workspace = Workspace(self.url, slug, self.admin_token)
        if not empty:
            workspace.equity()
        return workspace

    def worker(self, heartbeat_seconds: float = 0.2) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, WORK, self.files_url or self.files.as_uri(), str(heartbeat_seconds)],
            stdin=subprocess.PIPE,
            stdout=(self.log or self.scratch / "log").open("a"),
            stderr=subprocess.STDOUT,
            text=True,
            # What a killed worker leaves in the temporary directory goes with the test.
            env=os.environ | {"TMPDIR": str(self.scratch)},
        )
        self.workers.append(process)
        assert process.stdin
        process.stdin.write(f"{self.dsn}\n")
        process.stdin.close()
        return process

    def end_workers(self) -> None:
        for process in self.workers:
            kill(process)
        self.workers.clear()

    def uploads(self) -> list[Path]:
        """Files of imports in the file store, whole or half."""
        return [path for path in self.kept() if "imports" in path.parts]

    def kept(self) -> list[Path]:
        """All files in the file store."""
        if self.keys:
            return [Path(key) for key in self.keys()]
        return [path for path in self.files.rglob("*") if path.is_file()]


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL; done when the process is gone, and with it every lock on the file system."""
    process.kill()
    process.wait()


@contextmanager
def of_serve(url: str, data_dir: Path, scratch: Path) -> Iterator[Ground]:
    """That of a `ptolemy serve` in a directory of its own. The database is joined as a command joins it: whoever does
    so doesn't keep it alive."""
    database = start(data_dir)
    try:
        with seeing(database.dsn) as sight:
            yield Ground(database.dsn, url, data_dir / "files", scratch, signed_in(url, database.dsn), sight)
    finally:
        database.release()


@contextmanager
def without_worker(dsn: str, files: Path, scratch: Path, *, files_url: str = "") -> Iterator[Ground]:
    """An API that runs no jobs; the workers that tests start end with it."""
    configuration = replace(configured(dsn, files), jobs_at_once=0)
    if files_url:
        configuration = replace(configuration, files_url=files_url)
    with serving(configuration) as url, seeing(dsn) as sight:
        ground = Ground(dsn, url, files, scratch, signed_in(url, dsn), sight, files_url=files_url)
        yield ground
        ground.end_workers()


@contextmanager
def seeing(dsn: str) -> Iterator[Sight]:
    sight = Sight(dsn)
    try:
        yield sight
    finally:
        sight.close()
