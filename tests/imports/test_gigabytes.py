"""A file of 100 MB and one of 1 GB: taken in one request where the setting says so, in memory that doesn't grow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from ptolemy.database.embedded import start
from tests.cli.command import Served, new_data_dir, serving_process
from tests.product import Workspace, answered
from tests.serving import signed_in

GROWTH_BYTES = 300 << 20
DIGITS = "7" * 99


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Served, Workspace]]:
    """`ptolemy serve` with the setting of a gigabyte, and a workspace with a series."""
    with new_data_dir() as data_dir, serving_process(data_dir, PTOLEMY_MAX_UPLOAD="1.1GB") as served:
        database = start(data_dir)
        token = signed_in(served.url, database.dsn)
        database.release()
        headers = {"Authorization": f"Bearer {token}"}
        answered(httpx.post(f"{served.url}/v1/workspaces", json={"slug": "large"}, headers=headers), 201)
        workspace = Workspace(served.url, "large", token)
        workspace.equity()
        yield served, workspace


@pytest.mark.long
@pytest.mark.parametrize("megabytes", [100, 1000])
@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_a_large_file_is_imported_in_flat_memory(
    served: tuple[Served, Workspace], tmp_path: Path, megabytes: int, file_format: str
) -> None:
    server, workspace = served
    identifier = f"i{megabytes}-{file_format}"
    workspace.create("instruments", identifier=identifier, name="I", type_id="equity")
    rows = written(tmp_path / "file", identifier, megabytes * 1_000_000, file_format)
    idle = memory(server, "VmRSS")
    asked = {"resource_type": "time_series_values", "on_error": "continue"}
    with (tmp_path / "file").open("rb") as file, workspace.client(workspace.admin_token) as client:
        client.timeout = httpx.Timeout(600)
        job: dict[str, Any] = answered(client.post("/imports", files={"file": file}, data=asked), 202)
    while job["status"] in ("queued", "processing"):
        job = answered(workspace.admin.get(f"/imports/{job['id']}"), 200)
    assert (job["status"], job["rows_imported"], job["rows_failed"]) == ("completed", rows, 0)
    assert memory(server, "VmHWM") - idle < GROWTH_BYTES


def written(path: Path, identifier: str, size: int, file_format: str) -> int:
    """A file of at least that size, of values as long as they come; answers how many."""
    form = f"{identifier},close,{{}},{DIGITS}.{DIGITS}\n"
    if file_format == "json":
        form = (
            f'{{{{"instrument":"{identifier}","type_id":"close","timestamp":"{{}}","value":"{DIGITS}.{DIGITS}"}}}},\n'
        )
    numbers = count(1)
    with path.open("w") as file:
        file.write("[\n" if file_format == "json" else "instrument,type_id,timestamp,value\n")
        while file.tell() < size:
            for number in islice(numbers, 20_000):
                file.write(form.format(f"2000-01-01T00:00:{number // 1_000_000:02}.{number % 1_000_000:06}Z"))
        if file_format == "json":
            file.seek(file.tell() - 2)
            file.write("\n]\n")
    return next(numbers) - 1


def memory(server: Served, what: str) -> int:
    with Path(f"/proc/{server.process.pid}/status").open() as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(what))
