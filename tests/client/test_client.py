"""An httpx client rooted at the workspace, whose errors are told apart by class."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ptolemy.catalogue import EXPORTED
from ptolemy.client import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    Client,
    ConflictError,
    ForbiddenError,
    JobFailed,
    NotFoundError,
    PreconditionFailedError,
    PtolemyError,
    Unreachable,
    ValidationError,
)
from ptolemy.client.backups import RESOURCE_TYPES
from tests.client.conftest import BRIEF
from tests.product import Workspace
from tests.relay import Relay, relay
from tests.serving import configured, serving, signed_in


def test_the_verbs_are_rooted_at_the_workspace(workspace: Workspace, robot: Client) -> None:
    workspace.equity()
    made = robot.post("/instruments", json={"identifier": "日本.t", "name": "日本", "type_id": "equity"})
    assert made.status_code == 201
    assert robot.get("/instruments/日本.t").json() == made.json()


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_the_address_may_end_as_people_write_it(end: str, workspace: Workspace, product_url: str) -> None:
    with Client(f"{product_url}{end}", workspace.admin_token, workspace.slug) as client:
        assert client.ask("GET", "/")["slug"] == workspace.slug


def test_the_verbs_answer_refusals_and_raise_when_asked_to(robot: Client) -> None:
    answer = robot.get("/instruments/nobody")
    assert answer.status_code == 404
    with pytest.raises(NotFoundError) as raised:
        answer.raise_for_status()
    assert (raised.value.code, raised.value.status) == ("not_found", 404)
    assert raised.value.request_id == answer.headers["x-request-id"]
    assert isinstance(raised.value, httpx.HTTPStatusError)


def test_good_answers_pass(robot: Client) -> None:
    assert robot.get("/instruments").raise_for_status().json()["data"] == []


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        (("GET", "/instruments?after=forged"), BadRequestError, "invalid_cursor"),
        (("POST", "/instrument-types"), ForbiddenError, "forbidden"),
        (("POST", "/instruments/twice/restore"), ConflictError, "not_archived"),
    ],
)
def test_each_status_has_its_class(
    workspace: Workspace, robot: Client, asked: tuple[str, str], kind: type[ApiError], code: str
) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="twice", name="Twice", type_id="equity")
    body: dict[str, Any] = {"json": {"identifier": "x", "name": "X"}} if asked[1] == "/instrument-types" else {}
    with pytest.raises(kind) as raised:
        robot.ask(*asked, **body)
    assert type(raised.value) is kind
    assert raised.value.code == code


def test_a_stale_version_has_its_class(workspace: Workspace, robot: Client) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="bhp", name="BHP", type_id="equity")
    with pytest.raises(PreconditionFailedError):
        robot.ask("PATCH", "/instruments/bhp", json={"name": "Other"}, headers={"If-Match": '"stale"'})


def test_a_validation_error_names_the_fields(workspace: Workspace, robot: Client) -> None:
    workspace.equity()
    with pytest.raises(ValidationError) as raised:
        robot.ask("POST", "/instruments", json={"identifier": "a b", "name": 5, "type_id": "none"})
    assert {error["field"] for error in raised.value.errors} == {"identifier", "name"}
    assert "identifier" in str(raised.value)


def test_a_wrong_token_and_a_wrong_workspace_are_told_apart(workspace: Workspace, product_url: str) -> None:
    with Client(product_url, "ptk_live_" + "0" * 64, workspace.slug) as client, pytest.raises(AuthenticationError):
        client.ask("GET", "/")
    with Client(product_url, workspace.admin_token, "other-one") as client, pytest.raises(NotFoundError):
        client.ask("GET", "/")


@pytest.mark.parametrize(
    ("url", "token"),
    [("ptolemy.example.com", "t"), ("ftp://a", "t"), ("", "t"), ("http://a", ""), ("http://a", "a\nb")],
)
def test_what_can_not_be_an_address_or_a_token_is_refused_at_once(url: str, token: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Client(url, token, "acme")


def test_a_server_that_is_down_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Client(url, "t", "acme", patience=BRIEF) as client:
        with pytest.raises(Unreachable, match=url):
            client.ask("GET", "/")
        with pytest.raises(httpx.ConnectError):
            client.get("/")


def test_something_else_that_answers_is_no_ptolemy(line: Relay, robot: Client) -> None:
    line.faults.append(("GET", "/instruments", (200, {"content-type": "text/html"})))
    with pytest.raises(Unreachable, match="no Ptolemy"):
        robot.ask("GET", "/instruments")


def test_a_refusal_that_is_no_problem_keeps_its_status(line: Relay, robot: Client) -> None:
    line.faults.append(("GET", "/instruments", (403, {"content-type": "text/html"})))
    with pytest.raises(ForbiddenError) as raised:
        robot.ask("GET", "/instruments")
    assert raised.value.code == "http_403"


def test_the_token_goes_to_its_server_alone(product_url: str, robot: Client) -> None:
    with relay(product_url) as elsewhere:
        robot.get(f"{elsewhere.url}/v1/files/x")
        assert "authorization" not in elsewhere.headers("GET", "/v1/files")[0]


def test_pages_and_records_are_walked_to_their_end(workspace: Workspace, robot: Client) -> None:
    workspace.equity()
    for number in range(5):
        workspace.create("instruments", identifier=f"i{number}", name="I", type_id="equity")
    assert [len(page) for page in robot.pages("/instruments", limit=2)] == [2, 2, 1]
    assert [record["identifier"] for record in robot.records("/instruments")] == [f"i{number}" for number in range(5)]
    found = robot.records(
        "/instruments/filter", {"filter": {"field": "identifier", "op": "gt", "value": "i1"}, "limit": 1}
    )
    assert [record["identifier"] for record in found] == ["i2", "i3", "i4"]


def test_a_job_that_fails_raises_and_names_the_rows(workspace: Workspace, robot: Client) -> None:
    workspace.equity()
    job = robot.post(
        "/imports",
        files={"file": ("a.csv", b"identifier,name,type_id\na b,X,equity\n")},
        data={"resource_type": "instruments"},
    ).json()
    with pytest.raises(JobFailed) as raised:
        robot.wait(job)
    assert [error["row"] for error in raised.value.job["errors"]] == [1]


@pytest.fixture
def nobodys_job(database_url: str, tmp_path: Path) -> Iterator[Client]:
    """A client of a server on which no worker runs."""
    with serving(replace(configured(database_url, tmp_path), jobs_at_once=0)) as url:
        token = signed_in(url, database_url)
        httpx.post(f"{url}/v1/workspaces", json={"slug": "idle"}, headers={"Authorization": f"Bearer {token}"})
        with Client(url, token, "idle") as client:
            yield client


def test_waiting_ends_where_the_caller_says(nobodys_job: Client) -> None:
    job = nobodys_job.post("/exports", json={"resource_type": "instruments"}).json()
    with pytest.raises(PtolemyError, match="has not ended"):
        nobodys_job.wait(job, timeout_seconds=0)


def test_the_client_knows_every_resource_type_in_the_order_of_a_restore() -> None:
    assert tuple(EXPORTED) == RESOURCE_TYPES
