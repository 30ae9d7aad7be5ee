"""A process of its own that uses the embedded server: to be another user, to come at the same time, to be killed.

Run as a program it starts or joins the server of a directory, says its address, and leaves at the end of its input.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ptolemy.database.embedded import EmbeddedProblem, start

SOURCE = Path(__file__).parents[2] / "src"


@dataclass(frozen=True)
class Visitor:
    process: subprocess.Popen[str]

    def said(self) -> str:
        """The server's address, else the problem; waits for it."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def visitor(directory: Path, user: str | None = None) -> Iterator[Visitor]:
    """On its way in; `user` is another one than ours, which takes root."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.database.visitor", str(directory), *([user] if user else [])],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.defpath, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    visitor = Visitor(process)
    try:
        yield visitor
        if process.poll() is None:
            visitor.leave()
    finally:
        process.kill()
        process.communicate()


def become(user: str) -> None:
    # Here and not as the process starts: the interpreter may lie where only root can read it.
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main(directory: Path, user: str | None = None) -> None:
    if user:
        become(user)
    try:
        server = start(directory)
    except EmbeddedProblem as problem:
        print(problem, flush=True)  # noqa: T201 - said to the test
        return
    print(server.dsn, flush=True)  # noqa: T201
    sys.stdin.read()
    server.release()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
