"""Requests are sent again where that does no harm, and never do anything twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from ptolemy.client import Client, RateLimitError
from tests.product import Workspace
from tests.relay import Fault, Relay


@pytest.mark.parametrize("fault", ["unheard", "unanswered", "half"])
def test_a_post_whose_answer_is_lost_is_done_once(
    workspace: Workspace, line: Relay, robot: Client, fault: Fault
) -> None:
    workspace.equity()
    line.faults.append(("POST", "/instruments", fault))
    made = robot.post("/instruments", json={"identifier": "a", "name": "A", "type_id": "equity"})
    assert made.status_code == 201
    assert [record["id"] for record in robot.records("/instruments")] == [made.json()["id"]]
    first, second = line.headers("POST", "/instruments")
    assert first["idempotency-key"] == second["idempotency-key"]


def test_two_posts_have_two_keys_and_a_key_of_yours_is_kept(line: Relay, robot: Client) -> None:
    for _ in range(2):
        robot.post("/exports", json={"resource_type": "markets"})
    robot.post("/exports", json={"resource_type": "markets"}, headers={"Idempotency-Key": "mine"})
    keys = [headers["idempotency-key"] for headers in line.headers("POST", "/exports")]
    assert len(set(keys)) == 3 and keys[2] == "mine"


def test_a_file_is_sent_again_from_its_start(workspace: Workspace, line: Relay, robot: Client) -> None:
    workspace.equity()
    line.faults.append(("POST", "/imports", "unanswered"))
    files = {"file": ("instruments.csv", b"identifier,name,type_id\na,A,equity\n")}
    job = robot.post("/imports", files=files, data={"resource_type": "instruments"}).json()
    assert robot.wait(job)["rows_imported"] == 1
    assert len(robot.get("/imports").json()["data"]) == 1


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_what_can_not_be_done_twice_is_not_sent_twice(
    workspace: Workspace, line: Relay, robot: Client, method: str
) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    robot.get("/instruments")
    line.faults.append((method, "/instruments/a", "unanswered"))
    with pytest.raises(httpx.TransportError):
        robot.request(method, "/instruments/a", json={"name": "B"} if method == "PATCH" else None)
    assert len(line.headers(method, "/instruments/a")) == 1


def test_a_stream_that_has_flowed_by_is_not_sent_again(line: Relay, robot: Client) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"resource_type": "markets"}'

    robot.get("/instruments")
    line.faults.append(("POST", "/exports", "unheard"))
    with pytest.raises(httpx.TransportError):
        robot.post("/exports", content=body(), headers={"Content-Type": "application/json"})
    assert len(line.headers("POST", "/exports")) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(line: Relay, robot: Client, status: int) -> None:
    line.faults += [("GET", "/instruments", (status, {}))] * 2
    assert robot.get("/instruments").status_code == 200


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_other_answers_stand(line: Relay, robot: Client, status: int) -> None:
    line.faults.append(("GET", "/instruments", (status, {})))
    assert robot.get("/instruments").status_code == status


def test_patience_ends(line: Relay, robot: Client) -> None:
    line.faults += [("GET", "/instruments", (503, {}))] * 9
    assert robot.get("/instruments").status_code == 503
    assert len(line.headers("GET", "/instruments")) == 4


def test_retry_after_is_honoured(line: Relay, robot: Client) -> None:
    line.faults.append(("PATCH", "/", (429, {"retry-after": "1"})))
    began = time.monotonic()
    robot.patch("/instruments/none", json={"name": "x"})
    assert time.monotonic() - began >= 1


def test_retry_after_may_be_a_date(line: Relay, robot: Client) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    line.faults.append(("GET", "/instruments", (503, {"retry-after": when})))
    began = time.monotonic()
    assert robot.get("/instruments").status_code == 200
    assert time.monotonic() - began >= 1  # the date has whole seconds


def test_a_wait_of_hours_is_the_callers_to_decide(line: Relay, robot: Client) -> None:
    line.faults.append(("GET", "/instruments", (429, {"retry-after": "86400"})))
    with pytest.raises(RateLimitError) as raised:
        robot.ask("GET", "/instruments")
    assert raised.value.response.headers["retry-after"] == "86400"
