"""Whatever is sent, the answer is a problem that names what is wrong; never a 500."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ptolemy.catalogue import EXPORTED
from tests.api.bad import (
    BAD_ACCOUNTS,
    BAD_BODIES,
    BAD_FILTERS,
    BAD_JOBS,
    BAD_QUERIES,
    BAD_RECORDS,
    INSTRUMENT,
    LISTING,
    VALUE,
    Bad,
)
from tests.lifecycle.stock import Stock, stock
from tests.product import Workspace, answered, problem, refused_fields


def assert_refused(shop: Stock, bad: Bad) -> None:
    content, headers = bad.content, bad.headers
    sent: dict[str, Any] = (
        {"content": content} if content is not None else {"json": bad.json} if bad.json is not None else {}
    )
    response = shop.workspace.admin.request(bad.method, bad.path, headers=headers, **sent)
    if bad.status == 422:
        assert bad.names in refused_fields(response)
    else:
        problem(response, bad.status, bad.names)
    assert response.json()["detail"]
    assert response.json()["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("bad", BAD_RECORDS, ids=str)
def test_a_bad_value_is_refused_by_the_name_of_its_field(shop: Stock, bad: Bad) -> None:
    assert_refused(shop, bad)


@pytest.mark.parametrize("bad", BAD_FILTERS, ids=str)
def test_a_bad_filter_is_refused_by_the_place_of_its_fault(shop: Stock, bad: Bad) -> None:
    assert_refused(shop, bad)


@pytest.mark.parametrize("bad", BAD_QUERIES, ids=str)
def test_a_bad_address_is_refused(shop: Stock, bad: Bad) -> None:
    assert_refused(shop, bad)


@pytest.mark.parametrize("bad", BAD_BODIES, ids=str)
def test_a_bad_body_is_refused(shop: Stock, bad: Bad) -> None:
    assert_refused(shop, bad)


@pytest.mark.parametrize("bad", BAD_JOBS, ids=str)
def test_a_bad_request_for_a_job_or_a_robot_is_refused(shop: Stock, bad: Bad) -> None:
    assert_refused(shop, bad)


@pytest.mark.parametrize("bad", BAD_ACCOUNTS, ids=str)
def test_a_bad_workspace_or_sign_in_is_refused(shop: Stock, bad: Bad) -> None:
    assert_refused(shop, replace(bad, path=f"{shop.workspace.url}{bad.path}"))


def test_a_record_of_another_workspace_is_no_parent(shop: Stock, new_workspace: Callable[[], Workspace]) -> None:
    foreign = stock(new_workspace())
    robot = shop.workspace.robot
    type_id = foreign.get("instruments", "bhp.ax")["type_id"]
    assert refused_fields(robot.post("/instruments", json={**INSTRUMENT, "type_id": type_id})) == {
        "type_id": "unknown_reference"
    }
    listing = robot.post("/market-listings", json={**LISTING, "market_id": foreign.market})
    assert refused_fields(listing) == {"market_id": "unknown_reference"}
    value = robot.post("/time-series-values", json={**VALUE, "instrument_id": foreign.instrument})
    assert refused_fields(value) == {"instrument_id": "unknown_reference"}


def test_nothing_that_was_refused_has_left_a_trace(shop: Stock) -> None:
    before = {
        resource.collection: shop.list(resource.collection, **_all(resource.table)) for resource in EXPORTED.values()
    }
    for bad in [*BAD_RECORDS[::7], *BAD_BODIES[::7]]:
        assert_refused(shop, bad)
    after = {
        resource.collection: shop.list(resource.collection, **_all(resource.table)) for resource in EXPORTED.values()
    }
    assert after == before
    assert [found["identifier"] for found in before["instruments"]] == ["bhp.ax", "free"]


def _all(table: str) -> dict[str, str]:
    return {"archived": "true"} if EXPORTED[table].lifecycle.archive else {}


def test_several_bad_fields_are_named_at_once(shop: Stock) -> None:
    body = {"identifier": "a b", "name": 5, "type_id": [], "extras": [], "colour": 1}
    assert refused_fields(shop.workspace.robot.post("/instruments", json=body)) == {
        "identifier": "invalid_identifier",
        "name": "invalid_text",
        "type_id": "invalid_reference",
        "extras": "invalid_json",
        "colour": "unknown_field",
    }


def test_a_filter_nested_without_end_is_refused(shop: Stock) -> None:
    filter_ = b'{"and":[' * 400 + b'{"field":"name","op":"eq","value":"x"}' + b"]}" * 400
    content, headers = b'{"filter":' + filter_ + b"}", {"content-type": "application/json"}
    problem(shop.workspace.robot.post("/instruments/filter", content=content, headers=headers), 422, "invalid_values")


@pytest.mark.parametrize("ids", ["%00", "%ff", "bhp.ax,%00", ",", "a%20b", "%27", "x" * 20_000, ",".join(["a"] * 5000)])
def test_ids_that_name_nothing_are_no_fault(shop: Stock, ids: str) -> None:
    answered(shop.workspace.robot.get(f"/instruments?ids={ids}"), 200)


def test_the_longest_identifier_is_fine(shop: Stock) -> None:
    answered(shop.workspace.robot.post("/instruments/count", json={"type_id": "x" * 255}), 200)
