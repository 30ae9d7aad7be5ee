"""A cluster in its data directory: made whole or not at all, started also after a crash, stopped."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ptolemy.database.embedded import configuration
from ptolemy.database.embedded.binaries import Binaries, binaries_for
from ptolemy.database.embedded.children import Account, EmbeddedProblem, Ran
from ptolemy.database.embedded.durable import sync_directory, write_whole
from ptolemy.database.embedded.locks import opened, taken
from ptolemy.database.embedded.postmaster import Postmaster, bury, postmaster

LOGIN = DATABASE = "ptolemy"
_LONGEST_SOCKET_DIRECTORY = 85  # bytes; the system ends a socket's path at 103 (macOS) or 107
_ORPHAN_SECONDS = 30
_START_SECONDS = 300  # recovery after a crash reads up to `max_wal_size`
_STOP_SECONDS = 60
_LONGEST_LOG = 10 << 20


@dataclass(frozen=True)
class Cluster:
    """One data directory's; the caller holds its `start.lock` while it changes anything."""

    directory: Path
    account: Account

    @property
    def files(self) -> Path:
        return self.directory / "postgres"

    def password(self) -> str:
        try:
            return (self.directory / "password").read_text()
        except FileNotFoundError:
            raise EmbeddedProblem(
                f"{self.directory / 'password'} is missing, without it nobody can sign in to the database:"
                " put the file back from a copy of the data directory"
            ) from None

    def running(self, settings: Mapping[str, str]) -> Postmaster:
        """The server, ready; made and started where it isn't."""
        begun = time.monotonic()
        while True:
            server = postmaster(self.files)
            if server and server.status == "ready":
                return server
            if server is None and self._started(settings):
                continue
            waited = time.monotonic() - begun
            if server is None and waited > _ORPHAN_SECONDS:
                raise EmbeddedProblem(
                    f"another PostgreSQL still uses {self.directory}, in a container or left by a crash: stop it"
                )
            if waited > _START_SECONDS:
                raise EmbeddedProblem(f"PostgreSQL isn't ready after {_START_SECONDS} s: see {self._log}, or wait")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends the server's connections and the server, all data written."""
        server = postmaster(self.files)
        if server is None:
            return
        os.kill(server.pid, signal.SIGINT)
        with opened(self._alive) as lock:
            if not taken(lock, _STOP_SECONDS):
                raise EmbeddedProblem(
                    f"PostgreSQL in {self.directory} still stops after {_STOP_SECONDS} s: wait for it"
                )

    def _started(self, settings: Mapping[str, str]) -> bool:
        """Starts the server, unless one is still at work that we can't see, or can't see yet."""
        with opened(self._alive) as lock:
            # All that writes in the cluster inherits this lock: once we have it, nothing of a dead server is left.
            if not taken(lock):
                return False
            for half_done in self.directory.glob("new-*"):
                shutil.rmtree(half_done)
            binaries = binaries_for(self.account, major=self._major())
            if not self.files.exists():
                self._create(binaries, lock.fileno())
            self.password()  # Before it starts: a server that nobody can sign in to would stay.
            sockets = self._sockets()
            configuration.write(self.directory / "server.conf", self.files, sockets, settings)
            bury(self.files, sockets, self.account)
            self._start(binaries, lock.fileno())
        return True

    def _start(self, binaries: Binaries, lock: int) -> None:
        self._rotate_log()
        known = self._log.stat().st_size if self._log.exists() else 0
        ran = self.account.attempt(
            binaries.program("pg_ctl"),
            *("start", "-w", "-t", str(_START_SECONDS), "-D", self.files, "-l", self._log),
            *("-o", shlex.join(["-c", f"config_file={self.directory / 'server.conf'}"])),
            keep=[lock],
        )
        if ran.code:
            told = self._log.read_bytes()[known:].decode(errors="replace") if self._log.exists() else ""
            complaint = Ran(ran.code, told or ran.output).complaint
            raise EmbeddedProblem(f"PostgreSQL in {self.directory} doesn't start: {complaint} (see {self._log})")

    def _create(self, binaries: Binaries, lock: int) -> None:
        if not (self.directory / "password").exists():
            write_whole(self.directory / "password", secrets.token_urlsafe(24), 0o600)
        # Beside, then renamed: a kill leaves no half cluster.
        new = self.directory / f"new-{secrets.token_hex(4)}"
        _make_private(new, self.account)
        write_whole(new / "password", self.password(), 0o600, self.account)
        cluster = new / "postgres"
        self.account.run(
            binaries.program("initdb"),
            *("-D", cluster, "-U", LOGIN, "-A", "scram-sha-256", f"--pwfile={new / 'password'}"),
            *("-k", "-E", "UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
            keep=[lock],
        )
        # Before the server is ever up, so that no cluster is without it.
        create = f"create database {DATABASE}\n"
        single = (binaries.program("postgres"), "--single", "-D", cluster, "postgres")
        if "ERROR:" in (
            said := self.account.run(*single, stdin=create, keep=[lock])
        ):  # its exit code is 0 all the same
            raise EmbeddedProblem(f"the database can't be made in {self.directory}: {Ran(0, said).complaint}")
        cluster.rename(self.files)
        sync_directory(self.directory)
        shutil.rmtree(new)

    def _major(self) -> int | None:
        try:
            return int((self.files / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    def _sockets(self) -> Path:
        sockets = self.directory / "run"
        if len(os.fsencode(sockets)) > _LONGEST_SOCKET_DIRECTORY:
            identity = self.directory.stat()
            sockets = Path(tempfile.gettempdir()) / f"ptolemy-{identity.st_dev:x}-{identity.st_ino:x}"
        _make_private(sockets, self.account)
        return sockets

    @property
    def _alive(self) -> Path:
        return self.directory / "server.lock"

    @property
    def _log(self) -> Path:
        return self.files / "server.log"

    def _rotate_log(self) -> None:
        if self._log.exists() and self._log.stat().st_size > _LONGEST_LOG:
            self._log.replace(self._log.with_name("server.log.1"))


def _make_private(directory: Path, account: Account) -> None:
    """The account's alone; refuses one that somebody else made there (the temporary directory is everybody's)."""
    try:
        directory.mkdir(0o700)
        account.take(directory)
    except FileExistsError:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
            raise EmbeddedProblem(f"{directory} isn't a private directory of {account.name}: remove it") from None
