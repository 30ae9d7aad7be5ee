"""What a worker of its own shows, and what is said where tracing can't begin."""

from __future__ import annotations

import socket
import subprocess

import httpx

from tests.cli.command import PTOLEMY, Served, environment, failed, ptolemy
from tests.product import wait_for


def test_a_worker_shows_its_metrics_on_a_port_of_its_own(served: Served) -> None:
    port = _free_port()
    variables = {"PTOLEMY_WORKER_METRICS_PORT": str(port)}
    arguments = [str(PTOLEMY), "worker", "--data-dir", str(served.data_dir)]
    with subprocess.Popen(arguments, env=environment(**variables), stdout=subprocess.PIPE, text=True) as process:
        try:
            shown = wait_for(lambda: _shown(port))
        finally:
            process.terminate()
    assert "ptolemy_job_seconds" in shown


def test_a_short_token_for_metrics_is_refused_and_not_shown() -> None:
    line = failed(ptolemy("serve", PTOLEMY_METRICS_TOKEN="too-short"))
    assert line == "ptolemy: PTOLEMY_METRICS_TOKEN must have at least 32 characters"


def _shown(port: int) -> str | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.ConnectError:
        return None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
