"""The embedded server: made once, joined, left, and private to its directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import pytest

from ptolemy.database.embedded import EmbeddedProblem, serving_alone, start
from ptolemy.database.embedded.postmaster import postmaster
from tests.database.clusters import NORMAL_USER, ask, living, new_directory
from tests.database.visitor import visitor

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def directory() -> Iterator[Path]:
    with new_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A directory whose server has run, for tests that need no first start."""
    with new_directory() as directory:
        start(directory).release()
        yield directory


def test_the_first_start_makes_the_database_with_checksums_and_an_order_of_its_own(directory: Path) -> None:
    server = start(directory)
    described = ask(
        server.dsn,
        "select concat_ws(' ', datname, pg_encoding_to_char(encoding), datlocprovider, datlocale,"
        " current_setting('data_checksums'), current_setting('fsync'))"
        " from pg_database where datname = current_database()",
    )
    server.release()
    assert described == "ptolemy UTF8 b C.UTF-8 on on"


@as_root
def test_a_normal_user_runs_the_server_as_itself() -> None:
    with new_directory(owner=NORMAL_USER) as directory, visitor(directory, NORMAL_USER) as normal:
        assert ask(normal.said(), "select true")
        assert (directory / "postgres").owner() == NORMAL_USER
        assert directory.stat().st_mode & 0o777 == 0o711


@as_root
def test_root_joins_what_a_normal_user_made() -> None:
    with new_directory(owner=NORMAL_USER) as directory:
        with visitor(directory, NORMAL_USER) as normal:
            normal.said()
        server = start(directory)
        assert ask(server.dsn, "select true")
        server.release()
        with visitor(directory, NORMAL_USER) as normal:
            assert ask(normal.said(), "select true")


@as_root
def test_under_root_the_server_is_somebody_who_owns_nothing_else(made: Path) -> None:
    assert (made / "postgres").owner() in {"postgres", "nobody"}
    assert (made.owner(), (made / "password").owner()) == ("root", "root")


def test_others_see_neither_the_password_nor_the_data_nor_the_socket(made: Path) -> None:
    modes = {name: stat.S_IMODE((made / name).stat().st_mode) for name in ("password", "postgres", "run", ".")}
    assert modes == {"password": 0o600, "postgres": 0o700, "run": 0o700, ".": 0o711}


def test_it_asks_for_the_password(made: Path) -> None:
    server = start(made)
    password = (made / "password").read_text()
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(server.dsn.replace(password, "guess"), "select true")
    server.release()


def test_it_listens_on_its_socket_alone(made: Path) -> None:
    server = start(made)
    listening = ask(
        server.dsn, "select current_setting('listen_addresses') || current_setting('unix_socket_directories')"
    )
    server.release()
    assert listening.strip('"') == str(made / "run")


def test_four_first_starts_at_once_make_one_cluster(directory: Path) -> None:
    with ExitStack() as all_leave:
        visitors = [all_leave.enter_context(visitor(directory)) for _ in range(4)]
        addresses = {one.said() for one in visitors}
        assert len(addresses) == 1
        assert ask(addresses.pop(), "select true")
    assert (directory / "postgres/server.log").read_text().count("starting PostgreSQL") == 1


def test_the_last_to_leave_stops_the_server(made: Path) -> None:
    with visitor(made) as last:
        with visitor(made) as first:
            assert first.said() == last.said()
        assert living(made).status == "ready"
    assert postmaster(made / "postgres") is None


def test_a_killed_process_leaves_the_server_to_the_next(made: Path) -> None:
    with visitor(made) as killed:
        killed.said()
        killed.kill()
    before = living(made)
    next_one = start(made)
    assert living(made) == before
    next_one.release()
    assert postmaster(made / "postgres") is None


def test_releasing_twice_leaves_others_alone(made: Path) -> None:
    twice, other = start(made), start(made)
    twice.release()
    twice.release()
    assert ask(other.dsn, "select true")
    other.release()


def test_what_an_operator_sets_outlives_a_restart(made: Path) -> None:
    server = start(made)
    ask(server.dsn, "alter system set work_mem = '99MB'")
    server.release()
    server = start(made)
    assert ask(server.dsn, "select current_setting('work_mem')") == "99MB"
    server.release()


def test_settings_of_the_caller_come_last(made: Path) -> None:
    server = start(made, settings={"max_wal_size": "3GB"})
    assert ask(server.dsn, "select current_setting('max_wal_size')") == "3GB"
    server.release()


def test_a_bad_setting_says_what_the_server_says(made: Path) -> None:
    with pytest.raises(EmbeddedProblem, match=r"doesn't start: .*FATAL:  configuration file .* contains errors"):
        start(made, settings={"max_connections": "many"})


def test_a_path_too_long_for_a_socket_gets_one_in_the_temporary_directory(directory: Path) -> None:
    deep = directory / ("x" * 100) / "a b'c"
    server = start(deep)
    assert ask(server.dsn, "select true")
    sockets = living(deep).sockets
    server.release()
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    sockets.rmdir()


def test_a_second_serve_is_refused_and_told_of_the_first(directory: Path) -> None:
    with (
        serving_alone(directory),
        pytest.raises(EmbeddedProblem, match=rf"already runs on .* \(process {os.getpid()}\)"),
        serving_alone(directory),
    ):
        pass
    with serving_alone(directory):
        pass  # free again


def test_another_major_version_is_refused_with_advice(made: Path) -> None:
    version = made / "postgres/PG_VERSION"
    known = version.read_text()
    version.write_text("16\n")
    try:
        with pytest.raises(EmbeddedProblem, match=r"made by PostgreSQL 16.*install PostgreSQL 16.*pg_dump"):
            start(made)
    finally:
        version.write_text(known)


def test_a_lost_password_is_named_before_anything_starts(made: Path) -> None:
    password = made / "password"
    away = password.rename(made / "away")
    try:
        with pytest.raises(EmbeddedProblem, match=r"password is missing.*copy of the data directory"):
            start(made)
        assert postmaster(made / "postgres") is None
    finally:
        away.rename(password)


@as_root
def test_a_parent_closed_to_the_server_is_named_and_left_as_it_is(directory: Path) -> None:
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedProblem, match=rf"may not enter {closed}: .*chmod o\+x {closed}"):
        start(closed / "inside")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_a_directory_of_somebody_else_is_named_with_its_owner(made: Path) -> None:
    with visitor(made, NORMAL_USER) as stranger:
        assert f"{made} is root's: run ptolemy as root" in stranger.said()


def test_a_directory_that_cannot_be_made_is_named(directory: Path) -> None:
    (directory / "file").touch()
    with pytest.raises(EmbeddedProblem, match=r"file/inside can't be made \(Not a directory\)"):
        start(directory / "file/inside")
