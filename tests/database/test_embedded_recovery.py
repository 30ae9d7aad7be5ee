"""The embedded server after `kill -9`: nothing acknowledged is lost, and nothing keeps it from starting."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ptolemy.database.embedded import EmbeddedProblem, cluster, start
from tests.database.clusters import ask, children, kill, living, new_directory, running
from tests.database.visitor import visitor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    with new_directory() as directory:
        start(directory).release()
        yield directory


@pytest.fixture
def killed(made: Path) -> Path:
    """A directory whose server was killed with all its processes, and the process that used it."""
    with visitor(made) as user:
        user.said()
        server = living(made).pid
        kill(user.process.pid, server, *children(server))
    return made


@pytest.fixture
def stranger(made: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of the server's account that is none of its own."""
    account = (made / "postgres").stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=account, text=True) as process:
        yield process
        process.communicate()


def name_in_pid_file(directory: Path, pid: int) -> None:
    file = directory / "postgres/postmaster.pid"
    file.write_text("\n".join([str(pid), *file.read_text().splitlines()[1:]]) + "\n")


def test_no_acknowledged_row_is_lost_when_everything_is_killed(made: Path) -> None:
    with visitor(made) as user:
        dsn = user.said()
        ask(dsn, "create table kept (n integer)")
        for n in range(20):
            ask(dsn, "insert into kept values ($1)", n)
        server = living(made).pid
        kill(user.process.pid, server, *children(server))
    again = start(made)
    assert ask(again.dsn, "select count(*) from kept") == 20
    again.release()


def test_a_reused_process_number_does_not_keep_it_from_starting(killed: Path, stranger: subprocess.Popen[str]) -> None:
    name_in_pid_file(killed, stranger.pid)
    server = start(killed)
    assert ask(server.dsn, "select true")
    server.release()
    assert stranger.poll() is None


def test_a_zombie_does_not_keep_it_from_starting(killed: Path, stranger: subprocess.Popen[str]) -> None:
    name_in_pid_file(killed, stranger.pid)
    assert stranger.stdin
    stranger.stdin.close()
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    server = start(killed)
    assert ask(server.dsn, "select true")
    server.release()


def test_an_empty_pid_file_does_not_keep_it_from_starting(killed: Path) -> None:
    (killed / "postgres/postmaster.pid").write_text("")
    server = start(killed)
    assert ask(server.dsn, "select true")
    server.release()


def test_a_start_waits_for_a_backend_that_outlives_its_server(made: Path) -> None:
    server = start(made)
    # At work, without a moment in which it would notice that its server is gone.
    statement = "select count(*) from generate_series(1, 8000000)"
    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(ask, server.dsn, statement)
        while not (orphan := ask(server.dsn, "select pid from pg_stat_activity where query = $1", statement)):
            pass
        kill(living(made).pid)
        assert running(orphan)
        again = start(made)
        assert not running(orphan)
        working.exception()
    assert ask(again.dsn, "select true")
    again.release()
    server.release()


def test_a_server_that_cannot_be_seen_is_not_doubled(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_ORPHAN_SECONDS", 0.2)
    with visitor(made) as user:
        user.said()
        server = living(made).pid
        # As in another container, where our number is nobody's.
        name_in_pid_file(made, 2**31 - 1)
        with pytest.raises(EmbeddedProblem, match="another PostgreSQL still uses"):
            start(made)
        name_in_pid_file(made, server)


def test_a_first_start_killed_half_way_leaves_nothing_half_made() -> None:
    with new_directory() as directory, visitor(directory) as user:
        while not list(directory.glob("new-*/postgres/base")):
            assert user.process.poll() is None
        user.kill()
        assert not (directory / "postgres").exists()
        server = start(directory)
        assert ask(server.dsn, "select true")
        server.release()
        assert not list(directory.glob("new-*"))
