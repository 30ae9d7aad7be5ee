"""A server of the demo's own, started as its user would start it."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ptolemy.demo.problems import DemoProblem

EMAIL = "demo@ptolemy.example"
START_SECONDS = 60
STOP_SECONDS = 40

_PTOLEMY = (sys.executable, "-c", "from ptolemy.cli.main import main; main()")
_READY = re.compile(r"ready at (https?://\S+)")


@dataclass(frozen=True)
class Server:
    """A running server, and the person who can sign in to it."""

    url: str
    data_dir: Path
    email: str
    password: str
    process: subprocess.Popen[bytes]


@contextmanager
def running_server(data_dir: Path) -> Iterator[Server]:
    """Runs `ptolemy serve` on a free port of this machine; it has ended when the block has."""
    # The embedded database may run as another user, who must be able to pass through.
    data_dir.chmod(0o711)
    log = data_dir / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*_PTOLEMY, "serve", "--port", "0", "--data-dir", str(data_dir)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(),
            cwd=data_dir,
            start_new_session=True,
        )
    try:
        url = _address(process, log)
        password = secrets.token_urlsafe(12)
        _operate(["user", "create", EMAIL, "--password-stdin", "--data-dir", str(data_dir)], password, data_dir)
        yield Server(url, data_dir, EMAIL, password, process)
    finally:
        _stop(process)


def _environment() -> dict[str, str]:
    """Ours without any setting: the demo must not reach a database that somebody uses."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("PTOLEMY_")}


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        said = log.read_text(errors="replace")
        if found := _READY.search(said):
            return found[1]
        if process.poll() is not None:
            raise DemoProblem(f"the server did not start: {_last_line(said)}")
        time.sleep(0.02)
    raise DemoProblem(f"the server was not ready after {START_SECONDS} seconds: {_last_line(log.read_text())}")


def _operate(arguments: Sequence[str], stdin: str, directory: Path) -> None:
    """Runs an operator's command beside the server."""
    done = subprocess.run(  # noqa: S603 - our own command
        [*_PTOLEMY, *arguments],
        input=stdin + "\n",
        capture_output=True,
        text=True,
        env=_environment(),
        cwd=directory,
        check=False,
        timeout=START_SECONDS,
    )
    if done.returncode:
        raise DemoProblem(f"`ptolemy {' '.join(arguments[:2])}` failed: {_last_line(done.stderr)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
