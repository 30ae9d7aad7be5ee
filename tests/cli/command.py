"""Running the command `ptolemy` as users do."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PTOLEMY = Path(sys.executable).with_name("ptolemy")
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Served:
    process: subprocess.Popen[str]
    url: str
    data_dir: Path
    greeting: str

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def new_data_dir() -> Iterator[Path]:
    # Not pytest's own: what lies above it is closed to the account that PostgreSQL runs as under root.
    directory = Path(tempfile.mkdtemp(prefix="ptolemy-cli-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@contextmanager
def serving_process(data_dir: Path, port: int = 0, **variables: str) -> Iterator[Served]:
    """`ptolemy serve`, ready; `variables` go into its environment."""
    arguments = [str(PTOLEMY), "serve", "--port", str(port), "--data-dir", str(data_dir)]
    with (data_dir / "log").open("a") as log:
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=log, text=True, env=environment(**variables)
        )
    try:
        assert process.stdout is not None
        greeting = os.read(process.stdout.fileno(), 65536).decode()
        found = re.search(r"http://\S+", greeting)
        assert found, (data_dir / "log").read_text()
        yield Served(process, found[0], data_dir, greeting)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)


def ptolemy(
    *arguments: str, data_dir: Path | None = None, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """The finished command; `variables` go into its environment."""
    where = ["--data-dir", str(data_dir)] if data_dir else []
    return subprocess.run(
        [str(PTOLEMY), *arguments, *where],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=environment(**variables),
        check=False,
    )


def failed(command: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The one line that a failed command says."""
    assert command.returncode == code, (command.stdout, command.stderr)
    [line] = command.stderr.strip().splitlines()
    return line


def environment(**variables: str) -> dict[str, str]:
    """Ours without any settings of the product."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PTOLEMY_")}
    return {**kept, **variables}
