"""Imports in which many rows name one record, and trees of tags, beside files of as many rows that name one each.

    python -m bench.upserts [instruments] [tags]

A quarter of the instruments' rows have one name. The time is the job's own; then come the seconds of CPU
that the server and PostgreSQL spent on it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.requests import Server, serving
from bench.transfers import finished, seconds, seed


def main(instruments: int, tags: int) -> None:
    print(f"{'what':54} {'rows':>7} {'seconds':>8} {'rows/s':>7} {'server':>7} {'database':>8}")
    for on_error in ("continue", "abort"):
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
            seed(server)
            for what, name in NAMES.items():
                rows = [
                    {"identifier": name(n, instruments), "name": f"Name {n}", "type_id": "equity"}
                    for n in range(instruments)
                ]
                report(server, f"instruments, {what}", rows, on_error, "instruments", "identifier")
            for what, above in SHAPES.items():
                rows = _tags(tags, above)
                report(server, f"tags, {what}", rows, on_error, "instrument_tags")
                rows = [{**row, "name": "Renamed"} for row in rows]
                report(server, f"tags, {what}, another name each", rows, on_error, "instrument_tags", "path")
                report(server, f"tags, {what}, nothing changed", rows, on_error, "instrument_tags", "path")


NAMES: dict[str, Callable[[int, int], str]] = {
    "a name each": lambda n, rows: f"each{n}",
    "a quarter of one name, at the end": lambda n, rows: f"each{n}" if n < rows * 3 // 4 else "one",
    "a quarter of one name, in between": lambda n, rows: f"each{n}" if n % 4 else "two",
}
SHAPES: dict[str, Callable[[int], int | None]] = {
    "below one root": lambda n: 0,
    "ten below each": lambda n: n // 10,
    "a root each": lambda n: None,
}
"""For a tag by its number, the number of its parent."""


def report(
    server: Server, what: str, rows: list[dict[str, Any]], on_error: str, resource: str, key: str | None = None
) -> None:
    data = {"resource_type": resource, "on_error": on_error, **({"identifier_column": key} if key else {})}
    before = server.cpu_seconds()
    job = server.client().post("/imports", files={"file": json.dumps(rows).encode()}, data=data).json()
    job = finished(server, "imports", job)
    ours, theirs = (after - earlier for after, earlier in zip(server.cpu_seconds(), before, strict=True))
    assert (job["status"], job["rows_failed"]) == ("completed", 0), job
    took = seconds(job)
    print(
        f"{what + ', ' + on_error:54} {len(rows):7,} {took:8.2f} {len(rows) / took:7,.0f} {ours:7.2f} {theirs:8.2f}",
        flush=True,
    )


def _tags(number: int, above: Callable[[int], int | None]) -> list[dict[str, Any]]:
    """Rows of tags, parents first, below roots that no other shape has."""
    kind = f"{id(above):x}"
    rows: list[dict[str, Any]] = [{"identifier": kind, "path": f"#{kind}"}]
    for n in range(1, number):
        parent = above(n)
        identifier = f"{kind}-{n}"
        if parent is None:
            rows.append({"identifier": identifier, "path": f"#{identifier}"})
        else:
            path = rows[parent]["path"]
            rows.append({"identifier": identifier, "parent_id": path, "path": f"{path}.{identifier}"})
    return rows


if __name__ == "__main__":
    main(*(int(each) for each in [*sys.argv[1:], "20000", "5000"][:2]))
