"""The end of a server: clean, whatever asks for it."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from ptolemy.database.embedded.postmaster import postmaster
from tests.cli.command import ptolemy, serving_process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_server_and_database_cleanly(data_dir: Path, number: signal.Signals) -> None:
    with serving_process(data_dir) as running:
        assert httpx.get(f"{running.url}/readyz").status_code == 200
        assert postmaster(data_dir / "postgres")
        assert running.stop(number) == 0
    assert not postmaster(data_dir / "postgres")
    assert "Traceback" not in (data_dir / "log").read_text()


def test_what_was_created_without_a_server_is_there_when_it_starts(data_dir: Path) -> None:
    assert ptolemy("migrate", data_dir=data_dir).returncode == 0
    made = ptolemy("user", "create", "ann@example.com", "--password-stdin", data_dir=data_dir, stdin="long enough\n")
    assert made.returncode == 0, made.stderr
    with serving_process(data_dir) as running:
        answer = httpx.post(
            f"{running.url}/v1/auth/login", json={"email": "ann@example.com", "password": "long enough"}
        )
        assert answer.status_code == 200
        assert "ptolemy user create" not in running.greeting
