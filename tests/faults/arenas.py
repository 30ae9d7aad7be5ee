"""Where faults strike: a ground each for what they break, made when the first of them comes."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ptolemy.files import opening
from tests.cli.command import Served, serving_process
from tests.faults.ground import Ground, seeing, without_worker
from tests.faults.power import powered
from tests.faults.work import IMPATIENT
from tests.faults.works import Stock
from tests.s3 import Bucket, bucket
from tests.serving import signed_in


@dataclass
class Arena:
    """The ground, its stock, and what can be broken there."""

    ground: Ground
    stock: Stock
    break_down: Callable[[], object] = lambda: None
    """Kills what this arena is for killing."""
    bring_back: Callable[[], object] = lambda: None
    sees_nothing_meanwhile: bool = False
    """Whether what was killed has to be back before anything can be asked."""
    works_by_itself: bool = False
    """Whether jobs are begun without a worker of the ground's."""
    bucket: Bucket | None = None
    small: Path | None = None
    """A file system of some megabytes: the file store is on it, or the workers' temporary directory."""

    def set_to_work(self) -> None:
        if not self.works_by_itself and not self.ground.workers:
            self.ground.worker()


@contextmanager
def workers(database_url: str, folder: Path) -> Iterator[Arena]:
    """An API in this process; the workers are to be killed."""
    with _ground(database_url, folder) as ground:
        yield Arena(ground, Stock(ground), ground.end_workers, ground.worker)


@contextmanager
def postgresql(_: str, folder: Path) -> Iterator[Arena]:
    """A database server of the arena's own."""
    with powered() as power, _ground(power.server.dsn, folder) as ground:
        yield Arena(ground, Stock(ground), power.fail, power.come_back, sees_nothing_meanwhile=True)


@contextmanager
def server(database_url: str, folder: Path) -> Iterator[Arena]:
    """`ptolemy serve` as a process, the API and its worker in one, always at the same address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lives: list[tuple[AbstractContextManager[Served], subprocess.Popen[str]]] = []
    variables = {
        "PTOLEMY_DATABASE_URL": database_url,
        "PTOLEMY_STORAGE_URL": (folder / "files").as_uri(),
        "TMPDIR": str(folder),
    }

    def live() -> None:
        life = serving_process(folder, port, **variables)
        lives.append((life, life.__enter__().process))

    def die() -> None:
        life, process = lives.pop()
        process.kill()
        process.wait()
        life.__exit__(None, None, None)

    live()
    url = f"http://127.0.0.1:{port}"
    with seeing(database_url) as sight:
        ground = Ground(database_url, url, folder / "files", folder, signed_in(url, database_url), sight)

        def come_back() -> None:
            # The dead worker's lease ends in twenty seconds: let them pass.
            sight.rows("update jobs set lease_until = now() where lease_until is not null")
            live()

        yield Arena(ground, Stock(ground, works_by_itself=True), die, come_back, works_by_itself=True)
    die()


@contextmanager
def storage(database_url: str, folder: Path) -> Iterator[Arena]:
    """Files in a bucket."""
    with bucket() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr("ptolemy.app.LONG", IMPATIENT)
        patch.setattr(opening.open_store, "__defaults__", (IMPATIENT,))
        with _ground(database_url, folder, files_url=made.url) as ground:
            ground.keys = made.keys
            yield Arena(ground, Stock(ground), bucket=made)


@contextmanager
def full_store(database_url: str, folder: Path) -> Iterator[Arena]:
    """The file store on a small file system."""
    with small_file_system(folder, megabytes=16) as small, _ground(database_url, folder, files=small) as ground:
        yield Arena(ground, Stock(ground), small=small)


@contextmanager
def full_scratch(database_url: str, folder: Path) -> Iterator[Arena]:
    """The temporary directory of the workers on a small file system."""
    with small_file_system(folder, megabytes=16) as small, _ground(database_url, folder) as ground:
        ground.log, ground.scratch = folder / "log", small
        yield Arena(ground, Stock(ground), small=small)


@contextmanager
def small_file_system(folder: Path, megabytes: int) -> Iterator[Path]:
    place = folder / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system can't be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def _ground(database_url: str, folder: Path, *, files: Path | None = None, files_url: str = "") -> Iterator[Ground]:
    scratch = folder / "scratch"
    scratch.mkdir()
    with without_worker(database_url, files or folder / "files", scratch, files_url=files_url) as ground:
        yield ground


ARENAS = {each.__name__: each for each in (workers, postgresql, server, storage, full_store, full_scratch)}

Chance = random.Random
