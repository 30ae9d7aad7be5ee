"""Archived records count toward the quota; a hard delete frees it."""

from __future__ import annotations

from collections.abc import Callable

from tests.lifecycle.stock import KEYS, Stock
from tests.product import answered

Counted = Callable[[], dict[str, int]]
ALL = {
    "instruments": 1,
    "markets": 1,
    "market_listings": 1,
    "market_listing_suspensions": 1,
    "time_series_values": 1,
    "composite_time_series_values": 1,
    "composite_time_series_value_items": len(KEYS),
}


def test_every_item_counts(shop: Stock, counted_items: Counted) -> None:
    assert counted_items() == ALL


def test_archived_items_count_on(shop: Stock, counted_items: Counted) -> None:
    shop.archive("time-series-values", shop.value)
    shop.archive("composite-time-series-values", shop.bar)
    shop.archive("market-listings", shop.listing)
    shop.archive("instruments", shop.instrument)
    shop.archive("markets", shop.market)
    assert counted_items() == ALL


def test_a_restore_counts_nothing_twice(shop: Stock, counted_items: Counted) -> None:
    shop.archive("composite-time-series-values", shop.bar)
    answered(shop.workspace.robot.post(f"/composite-time-series-values/{shop.bar}/restore"), 200)
    assert counted_items() == ALL


def test_a_market_s_hard_delete_frees_its_listings_and_suspensions_too(shop: Stock, counted_items: Counted) -> None:
    answered(shop.workspace.robot.delete("/markets/xasx", params={"hard": "true"}), 204)
    gone = ("markets", "market_listings", "market_listing_suspensions")
    assert counted_items() == {kind: number for kind, number in ALL.items() if kind not in gone}


def test_an_instrument_s_cascade_frees_all_that_hung_on_it(shop: Stock, counted_items: Counted) -> None:
    shop.archive("time-series-values", shop.value)
    answered(shop.workspace.robot.delete("/instruments/bhp.ax", params={"hard": "true", "cascade": "true"}), 204)
    assert counted_items() == {"markets": 1}


def test_deleting_a_suspension_frees_it(shop: Stock, counted_items: Counted) -> None:
    shop.archive("market-listing-suspensions", shop.suspension)
    assert counted_items() == {kind: number for kind, number in ALL.items() if kind != "market_listing_suspensions"}


def test_a_refused_creation_counts_nothing(shop: Stock, counted_items: Counted) -> None:
    body = {"identifier": "bhp.ax", "name": "Again", "type_id": "equity"}
    answered(shop.workspace.robot.post("/instruments", json=body), 409)
    assert counted_items() == ALL


def test_a_changed_item_of_a_composite_value_counts_once(shop: Stock, counted_items: Counted) -> None:
    body = {"items": [{"field_key": "close", "value": "2"}]}
    answered(shop.workspace.robot.patch(f"/composite-time-series-values/{shop.bar}", json=body), 200)
    assert counted_items() == ALL
