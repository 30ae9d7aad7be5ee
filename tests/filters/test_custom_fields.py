"""Custom fields: what a key means, across types and through changes of the schema."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.filters.stock import Shop, condition, sort
from tests.product import Workspace, answered, refused_fields


@pytest.fixture
def shop(workspace: Workspace) -> Shop:
    return Shop(workspace)


def test_a_key_of_several_types_finds_records_of_each(shop: Shop) -> None:
    shop.add("bhp", listed="2000-01-01")
    shop.add("t-bill", "bond", listed="2020-01-01")
    shop.add("plain", "bond")
    assert set(shop.found(condition("field.listed", "gte", "2000-01-01"))) == {"bhp", "t-bill"}
    assert shop.found(condition("field.listed", "gte", "2000-01-01"), type_id="bond") == ["t-bill"]
    assert shop.found(sort=sort("-field.listed")) == ["t-bill", "bhp", "plain"]


def test_a_key_of_different_data_types_compares_as_text_with_a_warning(shop: Shop) -> None:
    shop.add("nine", rating=9)
    shop.add("ten", rating="10")
    shop.add("good", "bond", rating="AA")
    assert shop.found(sort=sort("field.rating")) == ["ten", "nine", "good"]
    page = answered(shop.ask(filter=condition("field.rating", "gt", "10"), sort=sort("field.rating")), 200)
    assert [record["identifier"] for record in page["data"]] == ["nine", "good"]
    assert page["warnings"] == ["field.rating has different data types in different types: it is compared as text"]
    assert shop.found(condition("field.rating", "like", "a")) == ["good"]


def test_a_number_still_finds_records_when_another_type_calls_its_key_text(shop: Shop) -> None:
    shop.add("nine", rating=9)
    shop.add("good", "bond", rating="true")
    assert shop.found(condition("field.rating", "eq", 9)) == ["nine"]
    assert shop.found(condition("field.rating", "in", [9, True])) == ["nine", "good"]
    refused = shop.ask(filter=condition("field.rating", "eq", {}))
    assert refused_fields(refused) == {"filter.value": "invalid_text"}


def test_without_the_other_type_s_field_the_key_is_a_number_again(shop: Shop) -> None:
    shop.add("nine", rating=9)
    shop.add("ten", rating="10")
    shop.add("good", "bond", rating="AA")
    fields = answered(shop.workspace.robot.get("/instrument-type-fields", params={"type_id": "bond"}), 200)["data"]
    [rating] = [field["id"] for field in fields if field["field_key"] == "rating"]
    answered(shop.workspace.admin.delete(f"/instrument-type-fields/{rating}"), 204)
    # The bond keeps its text, which is no number, and so nothing for a comparison of numbers.
    assert shop.found(condition("field.rating", "gt", 9.5)) == ["ten"]
    assert shop.found(sort=sort("field.rating")) == ["nine", "ten", "good"]
    assert shop.found(condition("field.rating", "is_null", True)) == ["good"]


def test_an_archived_field_is_known_as_long_as_no_active_one_decides(shop: Shop) -> None:
    shop.add("bhp", sector="Mining")
    fields = answered(shop.workspace.robot.get("/instrument-type-fields", params={"type_id": "equity"}), 200)["data"]
    [sector] = [field["id"] for field in fields if field["field_key"] == "sector"]
    answered(shop.workspace.admin.delete(f"/instrument-type-fields/{sector}"), 204)
    assert shop.found(condition("field.sector", "eq", "Mining")) == ["bhp"]


def test_text_of_any_kind_under_a_date_s_key_makes_nothing_fail(shop: Shop) -> None:
    for number, text in enumerate(["2021-02-29", "2020-13-01", "0000-01-01", "today", "", "2020-01-01 ", "\uff19"]):
        shop.add(f"b{number}", "bond", issuer=text)
    fields = answered(shop.workspace.robot.get("/instrument-type-fields", params={"type_id": "bond"}), 200)["data"]
    [issuer] = [field["id"] for field in fields if field["field_key"] == "issuer"]
    answered(shop.workspace.admin.delete(f"/instrument-type-fields/{issuer}"), 204)
    for data_type in ("date", "number", "boolean"):
        body = {"type_id": "equity", "field_key": "issuer", "data_type": data_type}
        new = answered(shop.workspace.admin.post("/instrument-type-fields", json=body), 201)
        assert shop.found(condition("field.issuer", "is_null", False)) == []
        assert len(shop.found(sort=sort("-field.issuer"))) == 7
        answered(shop.workspace.admin.delete(f"/instrument-type-fields/{new['id']}", params={"hard": "true"}), 204)


def test_markets_have_custom_fields_too(shop: Shop) -> None:
    shop.workspace.create("market-types", identifier="exchange")
    shop.workspace.create("market-type-fields", type_id="exchange", field_key="tier", data_type="number")
    for name, tier in (("xasx", 1), ("xnys", 12), ("xlon", 2)):
        shop.workspace.create("markets", identifier=name, name=name, type_id="exchange", field_values={"tier": tier})
    assert shop.found(collection="markets", sort=sort("-field.tier")) == ["xnys", "xlon", "xasx"]
    assert shop.found(condition("field.tier", "lt", 12), collection="markets", sort=sort("identifier")) == [
        "xasx",
        "xlon",
    ]


def test_another_workspace_s_fields_mean_nothing_here(shop: Shop, new_workspace: Callable[[], Workspace]) -> None:
    other = new_workspace()
    response = other.robot.post("/instruments/filter", json={"filter": condition("field.sector", "eq", "x")})
    assert refused_fields(response) == {"filter.field": "unknown_field"}


def test_values_have_no_custom_fields_to_filter_by(shop: Shop) -> None:
    response = shop.ask("time-series-values", filter=condition("field.sector", "eq", "x"))
    assert refused_fields(response) == {"filter.field": "unknown_field"}


def test_every_column_stands_beside_the_filter_too(shop: Shop) -> None:
    workspace = shop.workspace
    workspace.create("market-types", identifier="exchange")
    workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange", mic="XASX")
    for name in ("bhp", "rio", "cba"):
        shop.add(name)
    workspace.create("market-listings", instrument_id="bhp", market_id="xasx", lot_size="10", listed_on="2020-01-01")
    workspace.create("market-listings", instrument_id="rio", market_id="xasx", lot_size="1.50")
    workspace.create("market-listings", instrument_id="cba", market_id="xasx", currency="AUD")

    def count(**body: object) -> int:
        return int(answered(workspace.robot.post("/market-listings/count", json=body), 200)["count"])

    assert count(lot_size="10.0") == count(lot_size=1.5) == count(currency="AUD") == 1
    assert count(listed_on="2020-01-01") == count(instrument_id="bhp", market_id="xasx") == 1
    assert count(lot_size=None) == 1
    assert count(lot_size=None, filter=condition("instrument_id", "eq", "bhp")) == 0
    assert count(archived_at=None, market_id="xasx") == 3
    assert shop.found(identifier="xasx", collection="markets", mic="XASX") == ["xasx"]
    response = workspace.robot.post("/market-listings/count", json={"lot_size": "many"})
    assert refused_fields(response) == {"lot_size": "invalid_number"}
    refused = refused_fields(workspace.robot.post("/market-listings/count", json={"field.x": 1}))
    assert refused == {"field.x": "unknown_field"}


def test_beside_the_filter_archived_at_decides_what_is_archived(shop: Shop) -> None:
    shop.add("old")
    answered(shop.workspace.robot.delete("/instruments/old"), 204)
    archived_at = answered(shop.workspace.robot.get("/instruments/old"), 200)["archived_at"]
    assert shop.found(archived_at=archived_at) == ["old"]


def test_an_export_takes_the_same_filter(shop: Shop) -> None:
    shop.add("bhp", sector="Mining", shares="9")
    shop.add("rio", sector="Mining", shares="10")
    shop.add("t-bill", "bond")
    asked = {"and": [condition("field.sector", "eq", "Mining"), condition("field.shares", "gt", "9.5")]}
    rows = json.loads(shop.workspace.export("instruments", filter=asked))
    assert [row["identifier"] for row in rows] == ["rio"]
    response = shop.workspace.robot.post(
        "/exports", json={"resource_type": "instruments", "filter": condition("field.nope", "eq", 1)}
    )
    assert refused_fields(response) == {"filter.field": "unknown_field"}
