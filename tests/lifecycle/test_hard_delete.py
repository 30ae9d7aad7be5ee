"""Hard delete is for ever: what it takes along, and what stands in its way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.lifecycle.stock import Stock
from tests.product import answered, problem, refused_fields

Events = Callable[..., list[dict[str, Any]]]
OFFERED = [("instruments", True), ("markets", True), ("market-listings", False), ("market-listing-suspensions", True)]
VALUES = [("time-series-values", "value"), ("composite-time-series-values", "bar")]
SCHEMA = ["instrument-types", "market-types", "series", "market-listing-statuses"]


def bare(shop: Stock) -> str:
    """An instrument that nothing hangs on."""
    return str(shop.workspace.create("instruments", identifier="free", name="Free", type_id="equity")["id"])


@pytest.mark.parametrize(("collection", "record"), [("market-listings", "listing"), *VALUES])
def test_listings_and_values_can_only_be_archived(shop: Stock, collection: str, record: str) -> None:
    path = f"/{collection}/{getattr(shop, record)}"
    problem(shop.workspace.robot.delete(path, params={"hard": "true"}), 400, "hard_delete_unsupported")
    assert shop.get(collection, getattr(shop, record))["archived_at"] is None


def test_a_hard_delete_is_gone_at_once(shop: Stock, events: Events) -> None:
    free = bare(shop)
    answered(shop.workspace.robot.delete("/instruments/free", params={"hard": "true"}), 204)
    problem(shop.workspace.robot.get(f"/instruments/{free}"), 404, "not_found")
    problem(shop.workspace.robot.post(f"/instruments/{free}/restore"), 404, "not_found")
    assert [found["id"] for found in shop.list("instruments", archived="true")] == [shop.instrument]
    [event] = events(resource_id=free, event_type="instrument.deleted")
    assert event["changes"]["identifier"] == {"from": "free", "to": None}


def test_an_archived_record_can_be_hard_deleted(shop: Stock) -> None:
    free = bare(shop)
    shop.archive("instruments", free)
    answered(shop.workspace.robot.delete(f"/instruments/{free}", params={"hard": "true"}), 204)
    problem(shop.workspace.robot.get(f"/instruments/{free}"), 404, "not_found")


def test_hard_false_archives(shop: Stock) -> None:
    answered(shop.workspace.robot.delete("/instruments/bhp.ax", params={"hard": "false"}), 204)
    assert shop.get("instruments", "bhp.ax")["archived_at"] is not None


def test_a_hard_delete_by_identifier_takes_the_active_record(shop: Stock) -> None:
    old = bare(shop)
    shop.archive("instruments", old)
    new = bare(shop)
    answered(shop.workspace.robot.delete("/instruments/free", params={"hard": "true"}), 204)
    problem(shop.workspace.robot.get(f"/instruments/{new}"), 404, "not_found")
    assert shop.get("instruments", "free")["id"] == old


def test_a_market_takes_its_listings_and_their_suspensions_along(shop: Stock, events: Events) -> None:
    shop.archive("market-listings", shop.listing)
    answered(shop.workspace.robot.delete("/markets/xasx", params={"hard": "true"}), 204)
    problem(shop.workspace.robot.get(f"/market-listings/{shop.listing}"), 404, "not_found")
    problem(shop.workspace.robot.get(f"/market-listing-suspensions/{shop.suspension}"), 404, "not_found")
    assert shop.get("instruments", "bhp.ax")["id"] == shop.instrument
    deleted = [event for event in events() if event["event_type"].endswith(".deleted")]
    assert [(event["event_type"], str(event["resource_id"])) for event in deleted] == [
        ("market_listing_suspension.deleted", shop.suspension),
        ("market_listing.deleted", shop.listing),
        ("market.deleted", shop.market),
    ]


def test_an_instrument_with_dependents_is_kept_and_they_are_counted_by_kind(shop: Stock, events: Events) -> None:
    shop.workspace.create(
        "time-series-values", instrument_id="bhp.ax", type_id="close", timestamp="2026-04-16", value="1"
    )
    shop.archive("time-series-values", shop.value)
    refused = problem(
        shop.workspace.robot.delete("/instruments/bhp.ax", params={"hard": "true"}), 409, "blocked_by_dependents"
    )
    assert refused["dependents"] == {"market_listings": 1, "time_series_values": 2, "composite_time_series_values": 1}
    assert shop.get("instruments", "bhp.ax")["archived_at"] is None
    assert events(event_type="instrument.deleted") == []


def test_an_instrument_takes_its_dependents_along_with_cascade(shop: Stock, events: Events) -> None:
    response = shop.workspace.robot.delete("/instruments/bhp.ax", params={"hard": "true", "cascade": "true"})
    answered(response, 204)
    for collection, key in (
        ("instruments", shop.instrument),
        ("market-listings", shop.listing),
        ("market-listing-suspensions", shop.suspension),
        ("time-series-values", shop.value),
        ("composite-time-series-values", shop.bar),
    ):
        problem(shop.workspace.robot.get(f"/{collection}/{key}"), 404, "not_found")
    assert shop.get("markets", "xasx")["id"] == shop.market
    deleted = Counter(event["event_type"] for event in events() if event["event_type"].endswith(".deleted"))
    assert deleted == {
        "instrument.deleted": 1,
        "market_listing.deleted": 1,
        "market_listing_suspension.deleted": 1,
        "time_series_value.deleted": 1,
        "composite_time_series_value.deleted": 1,
    }
    [values] = events(event_type="time_series_value.deleted")
    assert values["changes"]["count"] == {"from": 1, "to": 0}


def test_cascade_is_for_instruments_alone(shop: Stock) -> None:
    response = shop.workspace.robot.delete("/markets/xasx", params={"hard": "true", "cascade": "true"})
    problem(response, 400, "cascade_unsupported")
    assert shop.get("markets", "xasx")["id"] == shop.market


@pytest.mark.parametrize("params", [{}, {"hard": "true"}, {"hard": "false"}])
def test_deleting_a_suspension_is_permanent_with_or_without_hard(
    shop: Stock, events: Events, params: dict[str, str]
) -> None:
    path = f"/market-listing-suspensions/{shop.suspension}"
    answered(shop.workspace.robot.delete(path, params=params), 204)
    problem(shop.workspace.robot.get(path), 404, "not_found")
    assert len(events(resource_id=shop.suspension, event_type="market_listing_suspension.deleted")) == 1


@pytest.mark.parametrize("word", ["yes please", "", "2"])
def test_hard_must_be_true_or_false(shop: Stock, word: str) -> None:
    response = shop.workspace.robot.delete("/instruments/bhp.ax", params={"hard": word})
    assert list(refused_fields(response)) == ["hard"]
    assert shop.get("instruments", "bhp.ax")["archived_at"] is None


@pytest.mark.parametrize(
    ("path", "dependents"),
    [
        ("instrument-types/equity", {"instruments": 1}),
        ("market-types/exchange", {"markets": 1}),
        ("series/close", {"time_series_values": 1}),
        ("series/bar", {"composite_time_series_values": 1}),
        ("market-listing-statuses/active", {"market_listings": 1}),
    ],
)
def test_a_type_in_use_is_not_hard_deleted(shop: Stock, path: str, dependents: dict[str, int]) -> None:
    answered(shop.workspace.robot.patch(f"/market-listings/{shop.listing}", json={"status_id": "active"}), 200)
    refused = problem(shop.workspace.admin.delete(f"/{path}", params={"hard": "true"}), 409, "blocked_by_dependents")
    assert refused["dependents"] == dependents
    answered(shop.workspace.admin.get(f"/{path}"), 200)


@pytest.mark.parametrize("collection", SCHEMA)
def test_an_unused_type_is_hard_deleted(shop: Stock, collection: str) -> None:
    shop.workspace.create(collection, identifier="unused")
    answered(shop.workspace.admin.delete(f"/{collection}/unused", params={"hard": "true"}), 204)
    problem(shop.workspace.admin.get(f"/{collection}/unused"), 404, "not_found")


def test_an_unused_type_takes_its_fields_along(shop: Stock, events: Events) -> None:
    shop.workspace.create("instrument-types", identifier="unused")
    field = shop.workspace.create("instrument-type-fields", type_id="unused", field_key="x", data_type="text")
    answered(shop.workspace.admin.delete("/instrument-types/unused", params={"hard": "true"}), 204)
    problem(shop.workspace.admin.get(f"/instrument-type-fields/{field['id']}"), 404, "not_found")
    assert len(events(resource_id=field["id"], event_type="instrument_type_field.deleted")) == 1


def test_a_field_whose_values_records_hold_is_not_hard_deleted(shop: Stock) -> None:
    [sector] = [each for each in shop.list("instrument-type-fields") if each["field_key"] == "sector"]
    response = shop.workspace.admin.delete(f"/instrument-type-fields/{sector['id']}", params={"hard": "true"})
    assert problem(response, 409, "blocked_by_dependents")["dependents"] == {"instruments": 1}
