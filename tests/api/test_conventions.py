"""What holds of every address: methods, ids of requests, identifiers in paths, and refusals in their order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from structlog.testing import capture_logs

from ptolemy.app import Configuration, create_app, open_product
from tests.api.bad import UNKNOWN_ID
from tests.lifecycle.stock import Stock
from tests.product import Workspace, answered, problem

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/instruments"),
        ("DELETE", "/instruments"),
        ("PUT", "/instruments/bhp.ax"),
        ("GET", "/instruments/bhp.ax/restore"),
        ("GET", "/exports/x/cancel"),
        ("PATCH", "/imports"),
        ("DELETE", "/exports/x"),
        ("PUT", "/"),
        ("TRACE", "/instruments"),
    ],
)
def test_a_method_that_an_address_lacks_is_a_405(shop: Stock, method: str, path: str) -> None:
    response = shop.workspace.admin.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"]


@pytest.mark.parametrize("path", ["/nothing", "/instruments/bhp.ax/nothing", "/instruments/", "/instruments//bhp.ax"])
def test_an_unknown_address_is_a_404_problem(shop: Stock, path: str) -> None:
    body = problem(shop.workspace.admin.get(path), 404, "not_found")
    assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys()


def test_an_unknown_record_is_named_in_the_404(shop: Stock) -> None:
    body = problem(shop.workspace.admin.get("/instruments/nope"), 404, "not_found")
    assert body["type"] == "urn:ptolemy:problem:not_found"
    assert "nope" in body["detail"]


def test_the_workspace_is_named_by_slug_or_uuid_with_or_without_a_slash(shop: Stock) -> None:
    found = answered(shop.workspace.admin.get("/"), 200)
    assert UUID(found["id"])
    base = f"{shop.workspace.url}/v1/workspaces"
    for address in (f"{base}/{shop.workspace.slug}", f"{base}/{found['id']}", f"{base}/{found['id'].upper()}/"):
        assert answered(shop.workspace.admin.get(address), 200) == found


def test_the_request_id_is_echoed(shop: Stock) -> None:
    response = shop.workspace.robot.get("/instruments/nope", headers={"x-request-id": "night-run-42"})
    assert response.headers["x-request-id"] == "night-run-42"
    assert response.json()["request_id"] == "night-run-42"


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a\tb"])
def test_a_request_id_that_can_t_be_one_is_replaced(shop: Stock, sent: str) -> None:
    response = shop.workspace.robot.get("/instruments", headers={"x-request-id": sent})
    assert UUID(response.headers["x-request-id"])


def test_every_answer_has_a_request_id(shop: Stock) -> None:
    for response in (
        shop.workspace.robot.get("/instruments"),
        shop.workspace.robot.get("/nothing"),
        shop.workspace.client(None).get("/instruments"),
        httpx.get(f"{shop.workspace.url}/"),
        httpx.get(f"{shop.workspace.url}/v1/openapi.json"),
    ):
        assert UUID(response.headers["x-request-id"])


async def test_a_fault_of_ours_is_a_problem_without_its_trace(tmp_path: Path) -> None:
    # Its database is nowhere: the application was never started.
    app = create_app(lambda: open_product(Configuration("", tmp_path.as_uri(), "")))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        response = await client.get("/v1/workspaces/acme/instruments", headers={"authorization": "Bearer x"})
    body = problem(response, 500, "internal_error")
    assert body["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text


async def test_a_fault_of_ours_is_told_in_the_log_with_its_trace(tmp_path: Path) -> None:
    app = create_app(lambda: open_product(Configuration("", tmp_path.as_uri(), "")))
    with capture_logs() as told:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            response = await client.get("/v1/workspaces/acme/instruments", headers={"authorization": "Bearer x"})
    failed, request = told
    assert (failed["event"], failed["log_level"], bool(failed["exc_info"])) == ("request failed", "error", True)
    assert failed["request_id"] == request["request_id"] == response.headers["x-request-id"]


def test_credentials_are_asked_for_before_anything_else(shop: Stock) -> None:
    for token in (None, "nonsense", "ptk_live_" + "0" * 64, "pth_" + "0" * 64, "é"):
        headers = {"authorization": f"Bearer {token}".encode()} if token else {}
        response = shop.workspace.client(None).post("/instruments?nope=1", content=b"{", headers=headers)  # type: ignore[arg-type] # bytes are fine
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("scheme", ["Basic dXNlcjpwYXNz", "Bearer", "Token x", ""])
def test_another_scheme_is_a_401(shop: Stock, scheme: str) -> None:
    response = shop.workspace.client(None).get("/instruments", headers={"authorization": scheme})
    problem(response, 401, "unauthorized")


def test_a_foreign_workspace_is_a_404_before_the_role_is_looked_at(
    shop: Stock, new_workspace: Callable[[], Workspace]
) -> None:
    viewer = new_workspace().token("viewer")
    for slug in (shop.workspace.slug, "there-is-no-such", UNKNOWN_ID, "%00", "A B"):
        address = f"{shop.workspace.url}/v1/workspaces/{slug}/instruments"
        response = httpx.post(address, content=b"{", headers={"authorization": f"Bearer {viewer}"})
        problem(response, 404, "workspace_not_found")


def test_the_role_is_looked_at_before_the_body(shop: Stock) -> None:
    viewer = shop.workspace.client(shop.workspace.token("viewer"))
    problem(viewer.post("/instruments?nope=1", content=b"{"), 403, "forbidden")
    problem(viewer.post("/imports", content=b"{"), 403, "forbidden")
    problem(viewer.post("/exports", content=b"{"), 403, "forbidden")
    problem(viewer.delete("/instruments/nope"), 403, "forbidden")


def test_the_type_of_the_body_is_looked_at_before_the_body(shop: Stock) -> None:
    problem(shop.workspace.robot.post("/instruments", content=b"{"), 415, "unsupported_media_type")
    problem(shop.workspace.robot.post("/instruments", content=b"{", headers=JSON), 400, "malformed_json")


def test_the_body_is_read_before_the_record_is_looked_up(shop: Stock) -> None:
    problem(shop.workspace.robot.patch("/instruments/nope", content=b"{", headers=JSON), 400, "malformed_json")
    problem(shop.workspace.robot.patch("/instruments/nope", json={}), 404, "not_found")


def test_the_record_is_looked_up_before_the_values_are_looked_at(shop: Stock) -> None:
    problem(shop.workspace.robot.patch("/instruments/nope", json={"name": 5}), 404, "not_found")
    problem(shop.workspace.robot.patch("/instruments/nope?x=1", json={}), 404, "not_found")
    problem(shop.workspace.robot.get("/instruments/nope?x=1"), 404, "not_found")
    problem(shop.workspace.robot.delete("/instruments/nope?hard=perhaps"), 404, "not_found")
    problem(shop.workspace.robot.post("/instruments/nope/restore?x=1"), 404, "not_found")
    problem(shop.workspace.robot.patch("/instruments/bhp.ax", json={"name": 5}), 422, "invalid_values")


def test_a_record_s_state_is_looked_at_before_it_is_found_missing_elsewhere(shop: Stock) -> None:
    problem(shop.workspace.robot.post("/instruments/nope/restore"), 404, "not_found")
    problem(
        shop.workspace.robot.delete("/market-listings/nope", params={"hard": "true"}), 400, "hard_delete_unsupported"
    )


@pytest.mark.parametrize(
    "identifier",
    [
        "a+b",
        "ä",
        "日本",
        "a&b=c",
        "a;b",
        "a:b@c",
        "~!$'()*",
        "a\u0308",
        "filter2",
        '"quoted"',
        "<b>",
        "{x}",
        "|",
    ],
)
def test_an_identifier_is_percent_encoded_in_addresses(shop: Stock, identifier: str) -> None:
    created = shop.workspace.create("markets", identifier=identifier, name="M", type_id="exchange")
    path = f"/markets/{quote(identifier, safe='').replace('.', '%2E')}"
    assert answered(shop.workspace.robot.get(path), 200) == created
    listed = answered(shop.workspace.robot.get("/markets", params={"ids": identifier}), 200)
    assert [found["id"] for found in listed["data"]] == [created["id"]]
    answered(shop.workspace.robot.patch(path, json={"name": "N"}), 200)


def test_identifiers_are_case_sensitive(shop: Stock) -> None:
    problem(shop.workspace.robot.get("/instruments/BHP.AX"), 404, "not_found")


def test_identifiers_named_like_an_operation_are_still_found(shop: Stock) -> None:
    for identifier in ("filter", "count"):
        created = shop.workspace.create("markets", identifier=identifier, name="M", type_id="exchange")
        assert answered(shop.workspace.robot.get(f"/markets/{identifier}"), 200) == created


def test_location_names_the_created_record(shop: Stock) -> None:
    body = {"identifier": "located", "name": "L", "type_id": "exchange"}
    response = shop.workspace.robot.post("/markets", json=body)
    created = answered(response, 201)
    assert response.headers["location"] == f"/v1/workspaces/{shop.workspace.slug}/markets/{created['id']}"
    assert answered(shop.workspace.robot.get(f"{shop.workspace.url}{response.headers['location']}"), 200) == created
