"""An API without a worker for each module of faults; its tests start, kill and replace workers of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.ground import Ground, without_worker


@pytest.fixture(scope="module")
def served(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("faults")
    (folder / "scratch").mkdir()
    with without_worker(database_url, folder / "files", folder / "scratch") as ground:
        yield ground


@pytest.fixture
def ground(served: Ground) -> Iterator[Ground]:
    yield served
    served.end_workers()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many faults were injected, and of which kinds."""
    kinds = Counter(
        str(kind)
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, kind in report.user_properties
        if name == "fault"
    )
    if kinds:
        terminalreporter.write_sep("-", f"{kinds.total()} faults injected")
        for kind, number in kinds.items():
            terminalreporter.write_line(f"{number:4} {kind}")
