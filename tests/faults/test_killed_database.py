"""PostgreSQL killed with SIGKILL, all its processes at once: amid an import, a download, and between two requests."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from ptolemy.client import Client
from tests.faults.files import Sent, good_instruments, mixed_instruments
from tests.faults.ground import Ground, without_worker
from tests.faults.imports import check_completed, check_half_way, moments, under_way, upload, wait_until_processed
from tests.faults.meanwhile import asked_meanwhile, check_told_to_come_back
from tests.faults.power import Power, powered
from tests.product import answered

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def power() -> Iterator[Power]:
    with powered() as power:
        yield power


@pytest.fixture
def ground(power: Power, tmp_path: Path) -> Iterator[Ground]:
    with without_worker(power.server.dsn, tmp_path / "files", tmp_path) as ground:
        yield ground


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("on_error", ["continue", pytest.param("abort", marks=pytest.mark.long)])
def test_an_import_survives_the_death_of_its_database(ground: Ground, power: Power, on_error: str, kills: int) -> None:
    sent = mixed_instruments() if on_error == "continue" else good_instruments()
    workspace = ground.workspace()
    ground.worker()
    job = upload(workspace, sent, on_error)
    for attempt, rows in enumerate(moments(kills, sent, random.randrange(1000)), start=1):
        wait_until_processed(ground, job, rows, attempt)
        power.fail()
        power.come_back()
        assert under_way(ground, job)
        check_half_way(ground, job)
    check_completed(ground, workspace, job, sent)


def test_requests_are_told_to_come_back_while_the_database_is_away(ground: Ground, power: Power) -> None:
    workspace = ground.workspace()
    power.fail()
    try:
        with capture_logs() as lines:
            check_told_to_come_back(asked_meanwhile(workspace))
    finally:
        power.come_back()
    told = [line for line in lines if line["event"] == "database_failed"]
    assert [(line["log_level"], line["code"]) for line in told] == [("warning", "database_unavailable")] * 5
    assert all(line["reason"] and line["request_id"] and "exception" not in line for line in told)
    assert not [line for line in lines if line["event"] == "request failed"]
    assert answered(workspace.admin.get("/imports"), 200)["data"] == []
    assert answered(workspace.admin.post("/instrument-types", json={"identifier": "m", "name": "M"}), 201)


def test_the_client_waits_for_a_database_that_comes_back(ground: Ground, power: Power) -> None:
    workspace, cut = ground.workspace(), []

    def come_back(response: httpx.Response) -> None:
        if response.status_code == 503:
            cut.append(response.request.headers["idempotency-key"])
            power.come_back()

    with Client(ground.url, workspace.admin_token, workspace.slug) as client:
        client.event_hooks["response"].append(come_back)
        power.fail()
        made = client.post("/instrument-types", json={"identifier": "m", "name": "M"})
    assert made.status_code == 201
    assert made.request.headers["idempotency-key"] == cut[0]
    assert len(cut) == 1
    types = answered(workspace.admin.get("/instrument-types"), 200)["data"]
    assert sorted(each["identifier"] for each in types) == ["equity", "m"]


def test_a_download_under_way_breaks_off_and_is_no_shorter_file(ground: Ground, power: Power) -> None:
    workspace = ground.workspace()
    ground.worker()
    bad = Sent("instruments", b"identifier,name,type_id\n,,\n", 1)
    job = workspace.finished("imports", upload(workspace, bad, "continue"))
    # More than all buffers between the two take up.
    ground.sight.rows(
        "insert into import_errors select workspace_id, import_id, gen_random_uuid(), n, n, field, code,"
        " repeat('x', 200) from import_errors, generate_series(2, 100000) n where import_id = $1 and field = 'name'",
        UUID(job["id"]),
    )
    asking = workspace.admin.stream("GET", f"/imports/{job['id']}/errors", headers={"Accept": "text/csv"})
    with capture_logs() as lines, asking as answer:
        chunks = answer.iter_raw()
        assert next(chunks)
        power.fail()
        with pytest.raises(httpx.RemoteProtocolError):
            list(chunks)
    power.come_back()
    assert [line["log_level"] for line in lines if line["event"] == "database_failed"] == ["warning"]
    assert not [line for line in lines if line["event"] == "request failed"]
