"""A file of 100 MB and one of 1 GB: taken in one request where the setting says so, in memory that doesn't grow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ptolemy.database.embedded import start
from tests.cli.command import Served, new_data_dir, serving_process
from tests.product import Workspace, answered
from tests.serving import signed_in

GROWTH_BYTES = 300 << 20
DIGITS = "7" * 99
AT_ONCE = 20_000


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
@pytest.mark.parametrize(
    ("megabytes", "file_format"),
    [(megabytes, file_format) for megabytes in (100, 1000) for file_format in ("csv", "json", "ndjson", "parquet")],
)
def test_a_large_file_is_imported_in_flat_memory(
    served: tuple[Served, Workspace], tmp_path: Path, megabytes: int, file_format: str
) -> None:
    server, workspace = served
    identifier = f"i{megabytes}-{file_format}"
    workspace.create("instruments", identifier=identifier, name="I", type_id="equity")
    rows = written(tmp_path / "file", identifier, megabytes * 1_000_000, file_format)
    idle = memory(server, "VmRSS")
    # Else the most that it ever had would be that of another file.
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
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
    instants = (f"2000-01-01T00:00:{number // 1_000_000:02}.{number % 1_000_000:06}Z" for number in count(1))
    if file_format == "parquet":
        return in_parquet(path, identifier, size, instants)
    form = f"{identifier},close,{{}},{DIGITS}.{DIGITS}\n"
    if file_format != "csv":
        form = f'{{{{"instrument":"{identifier}","type_id":"close","timestamp":"{{}}","value":"{DIGITS}.{DIGITS}"}}}}'
        form += ",\n" if file_format == "json" else "\n"
    rows = 0
    with path.open("w") as file:
        file.write({"json": "[\n", "csv": "instrument,type_id,timestamp,value\n"}.get(file_format, ""))
        while file.tell() < size:
            for instant in islice(instants, AT_ONCE):
                file.write(form.format(instant))
            rows += AT_ONCE
        if file_format == "json":
            file.seek(file.tell() - 2)
            file.write("\n]\n")
    return rows


def in_parquet(path: Path, identifier: str, size: int, instants: Iterator[str]) -> int:
    """Uncompressed, and without dictionaries, which would make one number of all that are alike."""
    names = ["instrument", "type_id", "timestamp", "value"]
    schema, rows = pa.schema([(name, pa.string()) for name in names]), 0
    with (
        path.open("wb") as file,
        pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer,
    ):
        while file.tell() < size:
            same = [[cell] * AT_ONCE for cell in (identifier, "close", f"{DIGITS}.{DIGITS}")]
            columns = [*same[:2], list(islice(instants, AT_ONCE)), same[2]]
            writer.write_table(pa.table(dict(zip(names, columns, strict=True)), schema))
            rows += AT_ONCE
    return rows


def memory(server: Served, what: str) -> int:
    with Path(f"/proc/{server.process.pid}/status").open() as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith(what))
