"""Archiving hides a record and keeps all of it."""

from __future__ import annotations

import pytest

from tests.lifecycle.stock import Stock
from tests.product import answered, problem

ARCHIVED = {"field": "archived_at", "op": "is_null", "value": False}
ARCHIVING = [
    ("instruments", "instrument"),
    ("markets", "market"),
    ("market-listings", "listing"),
    ("time-series-values", "value"),
    ("composite-time-series-values", "bar"),
]
each_resource = pytest.mark.parametrize(("collection", "record"), ARCHIVING)


@each_resource
def test_archiving_answers_204_and_no_body(shop: Stock, collection: str, record: str) -> None:
    response = shop.workspace.robot.delete(f"/{collection}/{getattr(shop, record)}")
    assert (response.status_code, response.content) == (204, b"")


@each_resource
def test_an_archived_record_keeps_all_it_had(shop: Stock, collection: str, record: str) -> None:
    before = shop.get(collection, getattr(shop, record))
    shop.archive(collection, before["id"])
    after = shop.get(collection, before["id"])
    assert after["archived_at"] == after["updated_at"]
    assert {**after, "archived_at": None, "updated_at": before["updated_at"]} == before


@each_resource
@pytest.mark.parametrize("archived", ["true", "all"])
def test_a_list_shows_archived_records_when_asked(shop: Stock, collection: str, record: str, archived: str) -> None:
    shop.archive(collection, getattr(shop, record))
    assert shop.list(collection) == []
    assert [found["id"] for found in shop.list(collection, archived=archived)] == [getattr(shop, record)]


@each_resource
def test_a_filter_hides_archived_records_unless_it_speaks_of_archived_at(
    shop: Stock, collection: str, record: str
) -> None:
    shop.archive(collection, getattr(shop, record))

    def filtered(body: object) -> list[str]:
        page = answered(shop.workspace.robot.post(f"/{collection}/filter", json=body), 200)
        return [found["id"] for found in page["data"]]

    assert filtered({}) == []
    assert filtered({"archived": "true"}) == [getattr(shop, record)]
    assert filtered({"filter": {"and": [ARCHIVED]}}) == [getattr(shop, record)]


@each_resource
def test_a_count_sees_what_a_filter_sees(shop: Stock, collection: str, record: str) -> None:
    shop.archive(collection, getattr(shop, record))

    def counted(body: object) -> int:
        return int(answered(shop.workspace.robot.post(f"/{collection}/count", json=body), 200)["count"])

    assert counted({}) == 0
    assert counted({"archived": "only"}) == 1
    assert counted({"filter": ARCHIVED}) == 1


def test_archived_records_are_named_by_ids_only_when_asked(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    assert shop.list("instruments", ids="bhp.ax") == []
    assert [found["id"] for found in shop.list("instruments", ids="bhp.ax", archived="true")] == [shop.instrument]


def test_the_guide_s_address_archives_by_identifier(shop: Stock) -> None:
    answered(shop.workspace.robot.delete("/instruments/bhp.ax"), 204)
    assert shop.get("instruments", "bhp.ax")["archived_at"] is not None


def test_archiving_leaves_the_children_as_they_are(shop: Stock) -> None:
    shop.archive("instruments", shop.instrument)
    shop.archive("markets", shop.market)
    assert shop.get("market-listings", shop.listing)["archived_at"] is None
    assert shop.get("time-series-values", shop.value)["archived_at"] is None
    assert shop.get("composite-time-series-values", shop.bar)["archived_at"] is None


def test_archiving_a_composite_value_takes_its_items_along(shop: Stock) -> None:
    items = shop.get("composite-time-series-values", shop.bar)["items"]
    shop.archive("composite-time-series-values", shop.bar)
    assert shop.list("composite-time-series-values") == []
    restored = answered(shop.workspace.robot.post(f"/composite-time-series-values/{shop.bar}/restore"), 200)
    assert restored["items"] == items


def test_an_archived_record_can_t_be_changed(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    problem(shop.workspace.robot.patch("/instruments/bhp.ax", json={"name": "BHP"}), 409, "archived")
    assert shop.get("instruments", "bhp.ax")["name"] == "BHP"


def test_archiving_twice_keeps_the_first_instant(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    first = shop.get("instruments", "bhp.ax")
    shop.archive("instruments", "bhp.ax")
    assert shop.get("instruments", "bhp.ax") == first


def test_an_archived_identifier_is_free_again(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    new = shop.workspace.create("instruments", identifier="bhp.ax", name="The new one", type_id="equity")
    assert new["id"] != shop.instrument


def test_an_identifier_names_the_active_record_first(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    new = shop.workspace.create("instruments", identifier="bhp.ax", name="The new one", type_id="equity")
    assert shop.get("instruments", "bhp.ax")["id"] == new["id"]
    value = shop.workspace.create(
        "time-series-values", instrument_id="bhp.ax", type_id="close", timestamp="2026-04-15", value="1"
    )
    assert value["instrument_id"] == new["id"]


def test_an_identifier_without_an_active_record_names_the_one_archived_last(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    new = shop.workspace.create("instruments", identifier="bhp.ax", name="The new one", type_id="equity")
    shop.archive("instruments", "bhp.ax")
    assert shop.get("instruments", "bhp.ax")["id"] == new["id"]
    restored = answered(shop.workspace.robot.post("/instruments/bhp.ax/restore"), 200)
    assert (restored["id"], restored["archived_at"]) == (new["id"], None)
