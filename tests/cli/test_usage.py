"""What the command says about itself and about wrong usage; nothing here needs a database that answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import PTOLEMY, environment, failed, ptolemy

COMMANDS = (
    ("serve",),
    ("worker",),
    ("migrate",),
    ("doctor",),
    ("demo",),
    ("export",),
    ("import",),
    ("backup",),
    ("restore",),
    ("verify",),
    ("diff",),
    ("workspace", "create"),
    ("user", "create"),
    ("token", "create"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: tuple[str, ...]) -> None:
    shown = ptolemy(*command, "--help")
    assert shown.returncode == 0
    assert f"ptolemy {' '.join(command)}" in shown.stdout.partition("Example")[2]


def test_the_help_lists_every_command() -> None:
    shown = ptolemy("--help").stdout
    assert all(f"  {command[0]} " in shown for command in COMMANDS)


def test_help_costs_little() -> None:
    # In seconds of CPU, the least of three: the clock on the wall tells what else the machine does.
    assert min(cpu_seconds("--help") for _ in range(3)) < 0.25


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("token", "create"), ("serve", "--port", "x"), ("workspace", "create"), ()]
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert ptolemy(*arguments).returncode == 2


def test_a_password_is_not_asked_for_where_there_is_no_terminal() -> None:
    assert "--password-stdin" in failed(ptolemy("user", "create", "ann@example.com"), 2)


@pytest.mark.parametrize("command", [("serve",), ("doctor",)])
def test_a_wrong_setting_is_one_line_that_names_it(command: tuple[str, ...]) -> None:
    assert "PTOLEMY_LOG_LEVEL" in failed(ptolemy(*command, PTOLEMY_LOG_LEVEL="loud"))


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)])
def test_a_database_that_does_not_answer_is_one_line(command: tuple[str, ...]) -> None:
    line = failed(ptolemy(*command, PTOLEMY_DATABASE_URL=nobodys_address()))
    assert "PTOLEMY_DATABASE_URL" in line and "secret" not in line


def test_doctor_says_what_to_do_where_the_database_does_not_answer(tmp_path: Path) -> None:
    found = ptolemy("doctor", "--json", data_dir=tmp_path, PTOLEMY_DATABASE_URL=nobodys_address())
    report = json.loads(found.stdout)
    [error] = [check for check in report["checks"] if check["level"] == "error"]
    assert (found.returncode, report["ok"], error["name"]) == (1, False, "database")
    assert "PTOLEMY_DATABASE_URL" in error["advice"]


def test_doctor_tells_of_variables_that_are_no_settings_and_still_exits_with_0(
    tmp_path: Path, database_url: str
) -> None:
    found = ptolemy("doctor", data_dir=tmp_path, PTOLEMY_DATABASE_URL=database_url, PTOLEMY_DATABSE_URL="x")
    assert found.returncode == 0, found.stdout
    assert "PTOLEMY_DATABSE_URL" in found.stdout


def test_a_database_of_yours_is_migrated_only_when_asked(postgresql_database: str) -> None:
    url = postgresql_database
    assert "ptolemy migrate" in failed(ptolemy("workspace", "create", "acme", PTOLEMY_DATABASE_URL=url))
    assert json.loads(ptolemy("doctor", "--json", PTOLEMY_DATABASE_URL=url).stdout)["ok"] is False
    applied = json.loads(ptolemy("migrate", "--json", PTOLEMY_DATABASE_URL=url).stdout)["applied"]
    assert applied
    assert json.loads(ptolemy("migrate", "--json", PTOLEMY_DATABASE_URL=url).stdout)["applied"] == []
    assert ptolemy("workspace", "create", "acme", PTOLEMY_DATABASE_URL=url).returncode == 0


def nobodys_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"postgresql://ptolemy:secret@127.0.0.1:{free.getsockname()[1]}/ptolemy"


def cpu_seconds(*arguments: str) -> float:
    process = subprocess.Popen([PTOLEMY, *arguments], stdout=subprocess.DEVNULL, env=environment())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return float(used.ru_utime + used.ru_stime)
