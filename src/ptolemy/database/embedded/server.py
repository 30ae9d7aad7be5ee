"""The embedded server as a process of ours sees it: joined, used, left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from ptolemy.database.embedded.children import EmbeddedProblem, account_for
from ptolemy.database.embedded.cluster import DATABASE, LOGIN, Cluster
from ptolemy.database.embedded.directory import check_reachable, prepared
from ptolemy.database.embedded.guard import Guard
from ptolemy.database.embedded.locks import alone, joined, opened, taken
from ptolemy.database.embedded.postmaster import Postmaster, postmaster


class EmbeddedServer:
    """A running server that this process uses until `release()`."""

    def __init__(self, cluster: Cluster, running: Postmaster, membership: TextIO, settings: Mapping[str, str]) -> None:
        self._cluster, self._membership, self._settings = cluster, membership, settings
        self._password, self._sockets = cluster.password(), running.sockets
        self._guard: Guard | None = None

    @property
    def dsn(self) -> str:
        """The product's database, as the superuser, whose password is in it: never log it."""
        return self.dsn_for(DATABASE)

    def dsn_for(self, database: str) -> str:
        return f"postgresql://{LOGIN}:{self._password}@/{database}?host={quote(str(self._sockets))}"

    def keep_alive(self) -> None:
        """From now on until `release()` it is started again where it dies, at the same address; the log tells."""
        self._guard = self._guard or Guard(lambda: postmaster(self._cluster.files) is not None, self._revive)

    def release(self) -> None:
        """Leaves the server; the last process to leave stops it. Close your connections first."""
        if self._membership.closed:
            return
        if self._guard:
            self._guard.end()
        with alone(self._cluster.directory / "start.lock"), self._membership:
            if taken(self._membership):
                self._cluster.stop()

    def _revive(self) -> None:
        # Another process may be about to do the same: who comes second finds it running.
        with alone(self._cluster.directory / "start.lock"):
            if not self._cluster.files.exists():
                # A first start would make an empty one in its place.
                raise EmbeddedProblem(f"{self._cluster.files} is gone: put it back, or stop ptolemy")
            self._cluster.running(self._settings)


def start(directory: Path, *, settings: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Starts the server of a data directory, or joins it where it runs; blocks for some seconds the first time.

    `settings` are PostgreSQL's, beyond our own, and count only where this call starts the server.
    """
    directory = prepared(directory)
    cluster = Cluster(directory, account_for(directory / "postgres"))
    check_reachable(directory, cluster.account)
    with alone(directory / "start.lock"):
        membership = joined(directory / "members.lock")
        try:
            return EmbeddedServer(cluster, cluster.running(settings or {}), membership, settings or {})
        except BaseException:
            membership.close()
            raise


@contextmanager
def serving_alone(directory: Path) -> Iterator[None]:
    """Only one process at a time serves a data directory; a second one gets a problem. Workers needn't ask."""
    directory = prepared(directory)
    with opened(directory / "serve.lock") as lock:
        if not taken(lock):
            raise EmbeddedProblem(
                f"ptolemy serve already runs on {directory} (process {lock.read().strip() or 'unknown'}): stop it,"
                " choose another --data-dir, or run `ptolemy worker` to add workers"
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
