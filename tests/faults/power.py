"""PostgreSQL cut off from its power: all its processes killed at once with SIGKILL, and started again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ptolemy.database.embedded import EmbeddedServer, start
from ptolemy.database.migrations import migrate
from tests import house
from tests.database.clusters import children, kill, living, new_directory


@dataclass
class Power:
    """A server of the test's own, to cut off from its power."""

    directory: Path
    server: EmbeddedServer

    def fail(self) -> None:
        server = living(self.directory).pid
        kill(server, *children(server))

    def come_back(self) -> None:
        # As a member of its own: the one from before counts as long as this process lives.
        again = start(self.directory)
        self.server.release()
        self.server = again


@contextmanager
def powered() -> Iterator[Power]:
    """With a migrated, empty database."""
    with new_directory() as directory:
        power = Power(directory, start(directory))
        house.finished(migrate(power.server.dsn))
        yield power
        power.server.release()
