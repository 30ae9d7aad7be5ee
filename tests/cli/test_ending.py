"""The end of a command: its exit code is its own, whatever the libraries below it still do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO

import pytest

from ptolemy.files.s3 import S3Files
from tests.cli.command import PATIENCE_SECONDS, PTOLEMY, environment
from tests.s3 import Bucket, bucket

# Each thread of the S3 client that hands over an answer lingers there, without the interpreter, until that is being
# torn down; then it is let go, and has all the time it needs to come back for it.
LATE = """
import os, select, sys, threading
from asyncio.selector_events import BaseSelectorEventLoop
from ptolemy.cli.main import main

let_go, hold = os.pipe()
wake_loop = BaseSelectorEventLoop._write_to_self

def wake_loop_and_linger(loop):
    wake_loop(loop)
    if isinstance(threading.current_thread(), threading._DummyThread):
        print("lingers", file=sys.stderr)
        os.read(let_go, 1)

class TornDown:
    def __del__(self, write=os.write, hold=hold, wait=select.select):
        write(hold, b".")
        wait([], [], [], 10)

BaseSelectorEventLoop._write_to_self = wake_loop_and_linger
sys.modules["torn down"] = TornDown()
main()
"""


@pytest.fixture
def s3() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


def test_a_command_ends_with_its_code_though_a_thread_of_the_s3_client_comes_back_late(s3: Bucket) -> None:
    asyncio.run(S3Files(s3.url).put("acme.zip", BytesIO(b"no backup")))
    done = run(sys.executable, "-c", LATE, "verify", f"{s3.url}/acme.zip")
    assert "lingers" in done.stderr
    assert (done.returncode, done.stdout.splitlines()[-1]) == (5, f"{s3.url}/acme.zip: unreadable"), done.stderr


def test_what_a_command_registered_to_run_at_exit_runs_and_its_last_words_arrive() -> None:
    program = """
import atexit, sys, threading
from ptolemy.cli import main

def command():
    atexit.register(print, "at exit")
    told = threading.Timer(0, print, ["from a thread"])
    told.start()
    print("unfinished", end=" ", file=sys.stderr)
    sys.exit(4)

main.app = lambda prog_name: command()
main.main()
"""
    done = run(sys.executable, "-c", program)
    assert (done.returncode, done.stderr) == (4, "unfinished ")
    assert sorted(done.stdout.splitlines()) == ["at exit", "from a thread"]


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        ("SystemExit", 0, ""),
        ("SystemExit('in words')", 1, "in words"),
        ("ValueError('a bug')", 1, "a bug"),
        ("KeyboardInterrupt", -2, "KeyboardInterrupt"),
    ],
)
def test_the_exit_code_is_the_one_that_python_would_give(raised: str, code: int, told: str) -> None:
    program = f"""
from ptolemy.cli import main

def command(prog_name):
    raise {raised}

main.app = command
main.main()
"""
    done = run(sys.executable, "-c", program)
    assert done.returncode == code
    assert told in done.stderr


def test_words_that_nobody_takes_are_told_as_ever() -> None:
    done = run("sh", "-c", f'"{PTOLEMY}" --version >/dev/full')
    assert done.returncode == 120
    assert "No space left on device" in done.stderr


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Finished, and with the buffers that Python has by itself."""
    found = environment(PYTHONUNBUFFERED="")
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, env=found, check=False)
