"""Answers carry along what their records refer to, when asked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import Workspace, answered, problem

Body = dict[str, Any]


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    """Two instruments listed on one market, one of them suspended there; both bear `#au`, one `#au.mining` too."""
    workspace.equity()
    workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange")
    workspace.create("instrument-tags", identifier="au")
    workspace.create("instrument-tags", identifier="mining", parent_id="au")
    for identifier, tags in (("bhp", ["au", "au.mining"]), ("csl", ["au"])):
        workspace.create("instruments", identifier=identifier, name=identifier, type_id="equity", tags=tags)
        listing = workspace.create("market-listings", instrument_id=identifier, market_id="xasx")
    workspace.create("market-listing-suspensions", listing_id=listing["id"], suspended_from="2026-01-01")
    return workspace


def identifiers(included: Body) -> dict[str, list[str]]:
    return {
        kind: [record.get("path", record.get("identifier")) for record in found] for kind, found in included.items()
    }


def test_a_list_carries_each_record_once(filled: Workspace) -> None:
    page = answered(filled.robot.get("/instruments", params={"include": "type,tags"}), 200)
    assert identifiers(page["included"]) == {"instrument_types": ["equity"], "instrument_tags": ["#au", "#au.mining"]}
    assert page["included"]["instrument_types"][0] == answered(filled.robot.get("/instrument-types/equity"), 200)


def test_a_filter_takes_a_list_of_tokens(filled: Workspace) -> None:
    asked = {"instrument_id": "csl", "include": ["instrument.tags", "market"]}
    page = answered(filled.robot.post("/market-listings/filter", json=asked), 200)
    assert identifiers(page["included"]) == {
        "instruments": ["csl"],
        "instrument_tags": ["#au"],
        "markets": ["xasx"],
    }


def test_tokens_lead_three_deep(filled: Workspace) -> None:
    page = answered(
        filled.robot.get("/market-listing-suspensions", params={"include": "listing.instrument.type,listing.market"}),
        200,
    )
    assert set(page["included"]) == {"market_listings", "instruments", "instrument_types", "markets"}
    assert identifiers(page["included"])["instruments"] == ["csl"]


def test_a_single_record_with_include_is_data_and_included(filled: Workspace) -> None:
    bare = answered(filled.robot.get("/instruments/bhp"), 200)
    assert answered(filled.robot.get("/instruments/bhp", params={"include": "type"}), 200) == {
        "data": bare,
        "included": {"instrument_types": [answered(filled.robot.get("/instrument-types/equity"), 200)]},
    }


def test_nothing_to_include_is_an_empty_list(filled: Workspace) -> None:
    page = answered(filled.robot.get("/market-listings", params={"include": "status"}), 200)
    assert page["included"] == {"market_listing_statuses": []}
    page = answered(filled.robot.get("/instruments", params={"include": "type", "ids": "nobody"}), 200)
    assert page["included"] == {"instrument_types": []}


def test_archived_parents_are_included(filled: Workspace) -> None:
    filled.robot.delete("/markets/xasx")
    page = answered(filled.robot.get("/market-listings", params={"include": "market"}), 200)
    [market] = page["included"]["markets"]
    assert market["archived_at"] is not None


@pytest.mark.parametrize(
    "include", ["", "nonsense", "type,", "type.nonsense", "instrument_id", "tags.parent.parent.parent"]
)
def test_an_unknown_token_is_a_400(filled: Workspace, include: str) -> None:
    problem(filled.robot.get("/instruments", params={"include": include}), 400, "unknown_include")
    problem(filled.robot.get("/instruments/bhp", params={"include": include}), 400, "unknown_include")
    problem(filled.robot.post("/instruments/filter", json={"include": [include]}), 400, "unknown_include")


def test_an_unknown_token_is_told_which_ones_there_are(filled: Workspace) -> None:
    body = problem(filled.robot.get("/instruments", params={"include": "listings"}), 400, "unknown_include")
    assert "type, tags" in body["detail"]
