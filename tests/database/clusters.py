"""Directories for embedded servers, and what tests look at and break in them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from ptolemy.database.embedded import start
from ptolemy.database.embedded.postmaster import Postmaster, postmaster
from tests.house import finished, quick_folder

# The account that may not enter a closed directory and needs no home.
NORMAL_USER = "nobody"


@contextmanager
def new_directory(*, owner: str | None = None) -> Iterator[Path]:
    """With a short path, in nobody's way; the server in it is stopped at the end."""
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir=quick_folder())).resolve()
    directory.chmod(0o711)
    if owner:
        shutil.chown(directory, owner)
    try:
        yield directory
    finally:
        if postmaster(directory / "postgres"):
            start(directory).release()
        shutil.rmtree(directory)


def ask(dsn: str, statement: str, *values: object) -> Any:
    """The one value that a statement answers."""

    async def asked() -> Any:
        driver = await asyncpg.connect(dsn)
        try:
            return await driver.fetchval(statement, *values)
        finally:
            await driver.close()

    return finished(asked())


def living(directory: Path) -> Postmaster:
    server = postmaster(directory / "postgres")
    assert server, "no server runs"
    return server


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill(*pids: int) -> None:
    """As `kill -9` does; done when the kernel has freed what they held."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    while any(running(pid) for pid in pids):
        os.sched_yield()


def running(pid: int) -> bool:
    """A zombie doesn't run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
