"""Restoring brings a record back as it was, unless a rule stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.lifecycle.stock import KEYS, Stock
from tests.product import answered, problem, refused_fields


def test_restoring_answers_the_full_record(shop: Stock) -> None:
    before = shop.get("instruments", "bhp.ax")
    shop.archive("instruments", "bhp.ax")
    restored = answered(shop.workspace.robot.post("/instruments/bhp.ax/restore"), 200)
    assert restored == {**before, "updated_at": restored["updated_at"]}
    assert restored["archived_at"] is None
    assert restored == shop.get("instruments", "bhp.ax")


def test_restoring_writes_an_event_that_says_what_changed(
    shop: Stock, events: Callable[..., list[dict[str, Any]]]
) -> None:
    shop.archive("instruments", "bhp.ax")
    archived_at = shop.get("instruments", "bhp.ax")["archived_at"]
    answered(shop.workspace.robot.post("/instruments/bhp.ax/restore"), 200)
    [event] = events(resource_id=shop.instrument, event_type="instrument.restored")
    assert event["changes"] == {"archived_at": {"from": archived_at, "to": None}}


def test_an_active_record_can_t_be_restored(shop: Stock) -> None:
    problem(shop.workspace.robot.post("/instruments/bhp.ax/restore"), 409, "not_archived")


def test_restoring_conflicts_when_another_instrument_has_the_identifier(shop: Stock) -> None:
    shop.archive("instruments", shop.instrument)
    shop.workspace.create("instruments", identifier="bhp.ax", name="The new one", type_id="equity")
    refused = problem(shop.workspace.robot.post(f"/instruments/{shop.instrument}/restore"), 409, "duplicate")
    assert [error["field"] for error in refused["errors"]] == ["identifier"]


def test_restoring_a_listing_conflicts_when_the_pair_is_taken(shop: Stock) -> None:
    shop.archive("market-listings", shop.listing)
    shop.workspace.create("market-listings", instrument_id="bhp.ax", market_id="xasx")
    refused = problem(shop.workspace.robot.post(f"/market-listings/{shop.listing}/restore"), 409, "duplicate")
    assert [error["field"] for error in refused["errors"]] == ["instrument_id", "market_id"]


def test_restoring_a_value_conflicts_when_the_instant_is_taken(shop: Stock) -> None:
    shop.archive("time-series-values", shop.value)
    shop.workspace.create(
        "time-series-values", instrument_id="bhp.ax", type_id="close", timestamp="2026-04-15", value="46"
    )
    problem(shop.workspace.robot.post(f"/time-series-values/{shop.value}/restore"), 409, "duplicate")


def test_restoring_a_composite_value_conflicts_when_the_instant_is_taken(shop: Stock) -> None:
    shop.archive("composite-time-series-values", shop.bar)
    items = [{"field_key": key, "value": "1"} for key in KEYS]
    shop.workspace.create(
        "composite-time-series-values", instrument_id="bhp.ax", type_id="bar", timestamp="2026-04-15", items=items
    )
    problem(shop.workspace.robot.post(f"/composite-time-series-values/{shop.bar}/restore"), 409, "duplicate")


def test_a_refused_restore_leaves_the_record_archived(shop: Stock) -> None:
    shop.archive("market-listings", shop.listing)
    archived = shop.get("market-listings", shop.listing)
    shop.workspace.create("market-listings", instrument_id="bhp.ax", market_id="xasx")
    problem(shop.workspace.robot.post(f"/market-listings/{shop.listing}/restore"), 409, "duplicate")
    assert shop.get("market-listings", shop.listing) == archived


def test_a_child_of_an_archived_parent_can_t_be_restored(shop: Stock) -> None:
    shop.archive("market-listings", shop.listing)
    shop.archive("time-series-values", shop.value)
    shop.archive("instruments", shop.instrument)
    problem(shop.workspace.robot.post(f"/market-listings/{shop.listing}/restore"), 409, "parent_archived")
    problem(shop.workspace.robot.post(f"/time-series-values/{shop.value}/restore"), 409, "parent_archived")
    answered(shop.workspace.robot.post(f"/instruments/{shop.instrument}/restore"), 200)
    answered(shop.workspace.robot.post(f"/market-listings/{shop.listing}/restore"), 200)
    answered(shop.workspace.robot.post(f"/time-series-values/{shop.value}/restore"), 200)


def test_restoring_backfills_missing_field_values_with_their_defaults(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    for key, default, required in (("country", "AU", True), ("note", "none", False)):
        shop.workspace.create(
            "instrument-type-fields",
            type_id="equity",
            field_key=key,
            data_type="text",
            is_required=required,
            has_default=True,
            default_value=default,
        )
    restored = answered(shop.workspace.robot.post("/instruments/bhp.ax/restore"), 200)
    assert restored["extra_fields_snapshot"] == {"sector": "Materials", "country": "AU", "note": "none"}


def test_restoring_backfills_the_items_of_a_composite_value(shop: Stock) -> None:
    shop.archive("composite-time-series-values", shop.bar)
    shop.workspace.create(
        "time-series-type-fields",
        type_id="bar",
        field_key="volume",
        data_type="number",
        is_required=True,
        has_default=True,
        default_value="0",
        display_order=9,
    )
    restored = answered(shop.workspace.robot.post(f"/composite-time-series-values/{shop.bar}/restore"), 200)
    assert {item["field_key"]: item["value"] for item in restored["items"]} == {
        **dict.fromkeys(KEYS, "45.820"),
        "volume": "0",
    }


def test_suspensions_can_t_be_restored(shop: Stock) -> None:
    response = shop.workspace.robot.post(f"/market-listing-suspensions/{shop.suspension}/restore")
    problem(response, 405, "method_not_allowed")


def test_a_filter_on_archived_at_is_refused_where_nothing_is_archived(shop: Stock) -> None:
    body = {"filter": {"field": "archived_at", "op": "is_null", "value": False}}
    response = shop.workspace.robot.post("/market-listing-suspensions/filter", json=body)
    assert refused_fields(response) == {"filter.field": "unknown_field"}
