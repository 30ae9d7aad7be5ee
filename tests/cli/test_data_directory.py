"""A data directory without a database: most commands refuse it, so that a mistyped one isn't filled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import failed, new_data_dir, ptolemy


@pytest.fixture
def nowhere() -> Iterator[Path]:
    """A data directory that isn't there."""
    with new_data_dir() as directory:
        directory.chmod(0o711)  # as root, PostgreSQL runs as another user and has to get through
        yield directory / "mistyped"


@pytest.mark.parametrize(
    "command",
    [
        ("worker",),
        ("workspace", "create", "acme"),
        ("user", "create", "ann@example.com", "--workspace", "acme"),
        ("token", "create", "--workspace", "acme", "--robot", "loader"),
    ],
)
def test_a_command_on_a_directory_that_is_not_there_fails_and_makes_nothing(
    nowhere: Path, command: tuple[str, ...]
) -> None:
    line = failed(ptolemy(*command, data_dir=nowhere))
    assert f"there is no Ptolemy in {nowhere}" in line
    assert f"ptolemy serve --data-dir {nowhere}" in line
    assert not nowhere.exists()


def test_a_directory_of_other_things_is_refused_as_well(nowhere: Path) -> None:
    nowhere.mkdir()
    (nowhere / "letter.txt").touch()
    assert "there is no Ptolemy in" in failed(ptolemy("workspace", "create", "acme", data_dir=nowhere))
    assert [path.name for path in nowhere.iterdir()] == ["letter.txt"]


def test_doctor_finds_that_there_is_no_database(nowhere: Path) -> None:
    found = ptolemy("doctor", "--json", data_dir=nowhere)
    [error] = [check for check in json.loads(found.stdout)["checks"] if check["level"] == "error"]
    assert (found.returncode, error["name"]) == (1, "database")
    assert f"there is no Ptolemy in {nowhere}" in error["found"]
    assert not nowhere.exists()


def test_migrate_makes_the_database_and_says_so_once(nowhere: Path) -> None:
    assert f"made a database in {nowhere}" in ptolemy("migrate", data_dir=nowhere).stdout
    assert json.loads(ptolemy("migrate", "--json", data_dir=nowhere).stdout) == {"made": None, "applied": []}
    assert ptolemy("workspace", "create", "acme", data_dir=nowhere).returncode == 0
