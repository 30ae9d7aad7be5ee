"""Children of an archived parent: none are added, the ones there stay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lifecycle.stock import KEYS, Stock
from tests.product import answered, problem

ITEMS = [{"field_key": key, "value": "1"} for key in KEYS]
CHILDREN: list[tuple[str, str, str, dict[str, Any]]] = [
    ("instruments", "instrument-types", "equity", {"identifier": "new", "name": "New", "type_id": "equity"}),
    ("markets", "market-types", "exchange", {"identifier": "new", "name": "New", "type_id": "exchange"}),
    ("market-listings", "instruments", "free", {"instrument_id": "free", "market_id": "xasx"}),
    ("market-listings", "markets", "xasx", {"instrument_id": "free", "market_id": "xasx"}),
    (
        "market-listings",
        "market-listing-statuses",
        "halted",
        {"instrument_id": "free", "market_id": "xasx", "status_id": "halted"},
    ),
    (
        "time-series-values",
        "instruments",
        "free",
        {"instrument_id": "free", "type_id": "close", "timestamp": "2026-01-01", "value": 1},
    ),
    (
        "time-series-values",
        "series",
        "close",
        {"instrument_id": "free", "type_id": "close", "timestamp": "2026-01-01", "value": 1},
    ),
    (
        "composite-time-series-values",
        "instruments",
        "free",
        {"instrument_id": "free", "type_id": "bar", "timestamp": "2026-01-01", "items": ITEMS},
    ),
    (
        "composite-time-series-values",
        "series",
        "bar",
        {"instrument_id": "free", "type_id": "bar", "timestamp": "2026-01-01", "items": ITEMS},
    ),
]


@pytest.mark.parametrize(("collection", "parents", "parent", "body"), CHILDREN)
def test_no_child_of_an_archived_parent_is_created(
    shop: Stock, collection: str, parents: str, parent: str, body: dict[str, Any]
) -> None:
    shop.workspace.create("instruments", identifier="free", name="Free", type_id="equity")
    answered(shop.workspace.admin.delete(f"/{parents}/{parent}"), 204)
    refused = problem(shop.workspace.robot.post(f"/{collection}", json=body), 409, "parent_archived")
    assert body[refused["errors"][0]["field"]] == parent
    answered(shop.workspace.admin.post(f"/{parents}/{parent}/restore"), 200)
    answered(shop.workspace.robot.post(f"/{collection}", json=body), 201)


def test_no_suspension_of_an_archived_listing_is_created(shop: Stock) -> None:
    shop.archive("market-listings", shop.listing)
    body = shop.new_suspension("2026-06-01", None)
    problem(shop.workspace.robot.post("/market-listing-suspensions", json=body), 409, "parent_archived")


def test_the_children_of_an_archived_parent_stay_readable(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    assert shop.get("time-series-values", shop.value)["instrument_id"] == shop.instrument
    assert [found["id"] for found in shop.list("time-series-values", instrument_id="bhp.ax")] == [shop.value]
    assert [found["id"] for found in shop.list("market-listings", instrument_id="bhp.ax")] == [shop.listing]


def test_a_child_can_t_be_moved_to_an_archived_parent(shop: Stock) -> None:
    shop.workspace.create("instruments", identifier="gone", name="Gone", type_id="equity")
    shop.archive("instruments", "gone")
    response = shop.workspace.robot.patch(f"/market-listings/{shop.listing}", json={"instrument_id": "gone"})
    problem(response, 409, "parent_archived")


def test_a_child_of_an_archived_parent_can_still_be_corrected(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    changed = answered(shop.workspace.robot.patch(f"/time-series-values/{shop.value}", json={"value": "46"}), 200)
    assert changed["value"] == "46"
