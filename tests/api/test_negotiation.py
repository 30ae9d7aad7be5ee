"""Forms of bodies and answers, methods beside the usual ones, and limits of size."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

from ptolemy.api.bodies import MAX_JSON_BYTES
from tests.lifecycle.stock import Stock
from tests.product import answered, problem

COUNT = "/instruments/count"


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9", "application/json;q=0", "nonsense", ""])
def test_json_is_answered_whatever_is_accepted(shop: Stock, accept: str) -> None:
    response = shop.workspace.robot.get("/instruments", headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    refused = shop.workspace.robot.get("/instruments/nope", headers={"accept": accept})
    problem(refused, 404, "not_found")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/json;x=y"],
)
def test_json_may_carry_parameters(shop: Stock, content_type: str) -> None:
    answered(shop.workspace.robot.post(COUNT, content=b"{}", headers={"content-type": content_type}), 200)


@pytest.mark.parametrize(
    "content_type", ["text/json", "application/x-www-form-urlencoded", "application/json-patch+json"]
)
def test_another_type_of_body_is_named_in_the_refusal(shop: Stock, content_type: str) -> None:
    response = shop.workspace.robot.post(COUNT, content=b"{}", headers={"content-type": content_type})
    assert content_type in problem(response, 415, "unsupported_media_type")["detail"]


def test_a_compressed_body_is_refused_with_what_is_taken(shop: Stock) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    response = shop.workspace.robot.post(COUNT, content=gzip.compress(b"{}"), headers=headers)
    problem(response, 415, "unsupported_encoding")
    assert response.headers["accept-encoding"] == "identity"


def test_a_body_may_be_as_large_as_the_limit_and_the_refusal_names_it(shop: Stock) -> None:
    headers = {"content-type": "application/json"}
    answered(shop.workspace.robot.post(COUNT, content=b"{}".ljust(MAX_JSON_BYTES), headers=headers), 200)
    response = shop.workspace.robot.post(COUNT, content=b"{}".ljust(MAX_JSON_BYTES + 1), headers=headers)
    assert str(MAX_JSON_BYTES) in problem(response, 413, "body_too_large")["detail"]


@pytest.mark.parametrize("path", ["/instruments", "/instruments/bhp.ax", "/", "/instruments?limit=1"])
def test_head_answers_as_get_without_a_body(shop: Stock, path: str) -> None:
    own = {"date", "x-request-id"}
    looked, got = shop.workspace.robot.head(path), shop.workspace.robot.get(path)
    assert (looked.status_code, looked.content) == (200, b"")
    headers: list[dict[str, Any]] = [
        {name: value for name, value in each.headers.items() if name not in own} for each in (looked, got)
    ]
    assert headers[0] == headers[1]


@pytest.mark.parametrize(
    ("path", "status"), [("/instruments/nope", 404), ("/nothing", 404), ("/imports/x/cancel", 405)]
)
def test_head_is_refused_as_get_is(shop: Stock, path: str, status: int) -> None:
    response = shop.workspace.robot.head(path)
    assert (response.status_code, response.content) == (status, b"")


def test_head_says_whether_the_server_is_alive(product_url: str) -> None:
    for path in ("/healthz", "/readyz"):
        assert httpx.head(f"{product_url}{path}").status_code == 200


def test_options_is_answered_with_the_methods_that_there_are(shop: Stock) -> None:
    response = shop.workspace.robot.options("/instruments")
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "path", ["/", "/v2/workspaces", "/v1", "/v1/", "/v1/workspaces/", "/favicon.ico", "/%00", "//"]
)
def test_an_address_outside_the_api_is_a_404_problem(product_url: str, path: str) -> None:
    body = problem(httpx.get(f"{product_url}{path}"), 404, "not_found")
    assert body == {
        "type": "urn:ptolemy:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "there is nothing at this address",
        "code": "not_found",
        "request_id": body["request_id"],
    }


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/docs"])
def test_a_page_that_is_only_read_says_so(product_url: str, path: str) -> None:
    response = httpx.post(f"{product_url}{path}")
    problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["allow"]


def test_a_problem_names_itself_and_carries_the_id_of_its_request(shop: Stock) -> None:
    response = shop.workspace.robot.post("/instruments", json={}, headers={"x-request-id": "mine"})
    assert json.loads(response.content) | {"errors": [], "detail": ""} == {
        "type": "urn:ptolemy:problem:invalid_values",
        "title": "Invalid values",
        "status": 422,
        "detail": "",
        "code": "invalid_values",
        "request_id": "mine",
        "errors": [],
    }
    assert response.headers["x-request-id"] == "mine"
