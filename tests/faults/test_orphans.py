"""Instruments deleted for ever while values are written to them: no value is ever left without its instrument."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.faults.files import Sent, bars, plain_instruments, values
from tests.faults.ground import Ground
from tests.faults.imports import upload, wait_until_processed
from tests.product import Workspace

_ROUNDS = 50
_FOREVER = {"hard": "true", "cascade": "true"}
_BAR = [{"field_key": key, "value": "1"} for key in ("open", "high", "low", "close")]


@pytest.fixture
def workspace(ground: Ground) -> Workspace:
    """With an instrument for each round, and some more."""
    workspace = ground.workspace()
    ground.worker()
    workspace.import_file("instruments", plain_instruments(2 * _ROUNDS).content)
    return workspace


@pytest.fixture
def clients(workspace: Workspace) -> Iterator[list[httpx.Client]]:
    token = workspace.token("member")
    opened = [workspace.client(token) for _ in range(4)]
    yield opened
    for client in opened:
        client.close()


def test_hard_deletes_amid_posts_leave_no_orphan(
    ground: Ground, workspace: Workspace, clients: list[httpx.Client]
) -> None:
    start = Barrier(len(clients))

    def ask(client: httpx.Client, method: str, path: str, **more: Any) -> int:
        start.wait()
        return client.request(method, path, **more).status_code

    with ThreadPoolExecutor(len(clients)) as threads:
        for number in range(1, _ROUNDS + 1):
            at = {"instrument_id": f"i{number}", "timestamp": "2026-01-01"}
            close, bar = {**at, "type_id": "close", "value": "1"}, {**at, "type_id": "bar", "items": _BAR}
            batch = [
                threads.submit(ask, clients[0], "DELETE", f"/instruments/i{number}", params=_FOREVER),
                threads.submit(ask, clients[1], "POST", "/time-series-values", json=close),
                threads.submit(ask, clients[2], "POST", "/composite-time-series-values", json=bar),
                threads.submit(
                    ask, clients[3], "POST", "/time-series-values", json=close | {"timestamp": "2026-01-02"}
                ),
            ]
            deleted, *posted = [asked.result() for asked in batch]
            assert deleted == 204
            assert set(posted) <= {201, 422}
    check_no_orphans(ground, workspace)


@pytest.mark.parametrize("file", [values(2 * _ROUNDS, 100_000), bars(2 * _ROUNDS, 4000)], ids=["values", "bars"])
@pytest.mark.parametrize("on_error", ["continue", "abort"])
def test_hard_deletes_amid_an_import_leave_no_orphan(
    ground: Ground, workspace: Workspace, clients: list[httpx.Client], file: Sent, on_error: str
) -> None:
    job = upload(workspace, file, on_error)
    wait_until_processed(ground, job, 1)

    def delete(number: int) -> int:
        return clients[number % len(clients)].delete(f"/instruments/i{number}", params=_FOREVER).status_code

    with ThreadPoolExecutor(len(clients)) as threads:
        assert set(threads.map(delete, range(1, _ROUNDS + 1))) == {204}
    ended = workspace.finished("imports", job)
    assert ended["rows_processed"] == file.rows
    if on_error == "continue":
        assert ended["rows_failed"] > 0, "the deletes came too late to meet the import"
        assert {entry["code"] for entry in ended["error_summary"]} == {"unknown_reference"}
        assert ended["rows_imported"] + ended["rows_failed"] == file.rows
    check_no_orphans(ground, workspace)


def check_no_orphans(ground: Ground, workspace: Workspace) -> None:
    """And the items are counted as they are."""
    for table in ("time_series_values", "composite_time_series_values"):
        [seen] = ground.sight.rows(
            f"select count(*) as stored, count(*) filter (where i.id is null) as orphans,"
            " (select coalesce(sum(items), 0) from item_counts c where c.workspace_id = w.id and kind = $2) as counted"
            f" from workspaces w join {table} v on v.workspace_id = w.id"
            " left join instruments i on i.workspace_id = v.workspace_id and i.id = v.instrument_id"
            " where w.slug = $1"
            " group by w.id",
            workspace.slug,
            table,
        ) or [{"stored": 0, "orphans": 0, "counted": 0}]
        assert seen["orphans"] == 0
        assert seen["stored"] == seen["counted"]
