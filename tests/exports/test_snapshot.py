"""One export is one file of one instant, whatever is written meanwhile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from ptolemy.backups.archive.verify import verify
from tests.backups.archives import contents
from tests.product import Workspace, answered

AT_ONCE = 50


@contextmanager
def written_meanwhile(workspace: Workspace) -> Iterator[None]:
    """Some values at once, again and again, of an instrument that is new each time."""
    done = threading.Event()

    def write() -> None:
        with workspace.client(workspace.admin_token) as client:
            for number in count():
                if done.is_set():
                    return
                name = f"n{number}"
                answered(client.post("/instruments", json={"identifier": name, "name": "N", "type_id": "equity"}), 201)
                values = [
                    {"instrument_id": name, "type_id": "close", "timestamp": f"2026-01-01T00:00:{n:02}Z", "value": "1"}
                    for n in range(AT_ONCE)
                ]
                answered(client.post("/time-series-values/batch", json={"data": values}), 200)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        done.set()
        writing.join()


@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_what_was_written_at_once_is_in_an_export_or_is_not(workspace: Workspace, file_format: str) -> None:
    workspace.equity()
    seen = set()
    with written_meanwhile(workspace):
        for _ in range(10):
            lines = workspace.export("time_series_values", format=file_format).count(b"close")
            assert lines % AT_ONCE == 0
            seen.add(lines)
    assert len(seen) > 1, "nothing was written meanwhile"


def test_all_files_of_an_archive_are_of_one_instant(
    workspace: Workspace, new_workspace: Callable[[], Workspace], tmp_path: Path
) -> None:
    workspace.equity()
    path = tmp_path / "backup.zip"
    with written_meanwhile(workspace):
        for _ in range(5):
            path.write_bytes(archive := workspace.export_workspace())
            assert verify(path).result == "fine"
            files = {name: json.loads(content) for name, content in contents(archive).items()}
            instruments, values = len(files["instruments.json"]), len(files["time_series_values.json"])
            assert values in (AT_ONCE * instruments, AT_ONCE * (instruments - 1))
    assert new_workspace().import_workspace(archive)["status"] == "completed"
