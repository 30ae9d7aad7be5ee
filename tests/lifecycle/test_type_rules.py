"""Types and the records that use them stay in agreement."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.lifecycle.stock import KEYS, Stock
from tests.product import answered, problem, refused_fields


def field(shop: Stock, collection: str, key: str) -> str:
    """The path of a custom field."""
    [found] = [each for each in shop.list(collection, archived="true") if each["field_key"] == key]
    return f"/{collection}/{found['id']}"


NEW_FIELDS: list[tuple[str, str]] = [
    ("instrument-type-fields", "equity"),
    ("market-type-fields", "exchange"),
    ("time-series-type-fields", "close"),
    ("time-series-type-fields", "bar"),
]


@pytest.mark.parametrize(("collection", "type_id"), NEW_FIELDS)
def test_a_new_required_field_without_default_conflicts_with_records(
    shop: Stock, collection: str, type_id: str
) -> None:
    body = {"type_id": type_id, "field_key": "country", "data_type": "text", "is_required": True}
    problem(shop.workspace.admin.post(f"/{collection}", json=body), 409, "required_without_default")
    answered(shop.workspace.admin.post(f"/{collection}", json={**body, "has_default": True, "default_value": "?"}), 201)


@pytest.mark.parametrize(
    ("collection", "key", "type_id"),
    [
        ("instruments", "bhp.ax", "equity"),
        ("markets", "xasx", "exchange"),
    ],
)
def test_archived_records_count_for_a_new_required_field(shop: Stock, collection: str, key: str, type_id: str) -> None:
    shop.archive(collection, key)
    body = {"type_id": type_id, "field_key": "country", "data_type": "text", "is_required": True}
    fields = f"/{collection.removesuffix('s')}-type-fields"
    problem(shop.workspace.admin.post(fields, json=body), 409, "required_without_default")


def test_a_new_required_field_is_fine_on_a_type_without_records(shop: Stock) -> None:
    shop.workspace.create("instrument-types", identifier="bond")
    shop.workspace.create(
        "instrument-type-fields", type_id="bond", field_key="coupon", data_type="number", is_required=True
    )
    body = {"identifier": "b", "name": "B", "type_id": "bond"}
    assert refused_fields(shop.workspace.robot.post("/instruments", json=body)) == {"field_values.coupon": "required"}


def test_a_field_can_t_become_required_while_records_lack_it(shop: Stock) -> None:
    response = shop.workspace.admin.patch(field(shop, "instrument-type-fields", "shares"), json={"is_required": True})
    problem(response, 409, "required_without_default")


def test_existing_records_get_the_default_with_their_next_write(shop: Stock) -> None:
    shop.workspace.create(
        "instrument-type-fields",
        type_id="equity",
        field_key="country",
        data_type="text",
        is_required=True,
        has_default=True,
        default_value="AU",
    )
    assert "country" not in shop.get("instruments", "bhp.ax")["extra_fields_snapshot"]
    changed = answered(shop.workspace.robot.patch("/instruments/bhp.ax", json={"name": "BHP Group"}), 200)
    assert changed["extra_fields_snapshot"]["country"] == "AU"


def test_a_default_doesn_t_come_back_where_it_was_cleared(shop: Stock) -> None:
    body = {"field_key": "country", "data_type": "text", "has_default": True, "default_value": "AU"}
    shop.workspace.create("instrument-type-fields", type_id="equity", **body)
    path = "/instruments/bhp.ax"
    cleared = answered(shop.workspace.robot.patch(path, json={"field_values": {"country": None}}), 200)
    assert cleared["extra_fields_snapshot"]["country"] is None
    changed = answered(shop.workspace.robot.patch(path, json={"name": "BHP Group"}), 200)
    assert changed["extra_fields_snapshot"]["country"] is None
    shop.archive("instruments", "bhp.ax")
    assert answered(shop.workspace.robot.post(f"{path}/restore"), 200)["extra_fields_snapshot"]["country"] is None


@pytest.mark.parametrize(
    ("collection", "key", "change"),
    [
        ("instrument-type-fields", "sector", {"data_type": "number"}),
        ("instrument-type-fields", "sector", {"field_key": "industry"}),
        ("time-series-type-fields", "close", {"data_type": "text"}),
    ],
)
def test_a_field_keeps_its_meaning_while_values_exist(
    shop: Stock, collection: str, key: str, change: dict[str, Any]
) -> None:
    problem(shop.workspace.admin.patch(field(shop, collection, key), json=change), 409, "field_in_use")


def test_a_field_keeps_its_meaning_while_archived_records_hold_values(shop: Stock) -> None:
    shop.archive("instruments", "bhp.ax")
    path = field(shop, "instrument-type-fields", "sector")
    problem(shop.workspace.admin.patch(path, json={"data_type": "number"}), 409, "field_in_use")


def test_an_unused_field_may_change_its_data_type(shop: Stock) -> None:
    path = field(shop, "instrument-type-fields", "shares")
    changed = answered(shop.workspace.admin.patch(path, json={"data_type": "text"}), 200)
    assert changed["data_type"] == "text"


def test_a_new_type_must_know_the_keys_unless_they_are_cleared(shop: Stock) -> None:
    shop.workspace.create("instrument-types", identifier="fund")
    response = shop.workspace.robot.patch("/instruments/bhp.ax", json={"type_id": "fund"})
    assert refused_fields(response) == {"field_values.sector": "unknown_field"}
    body = {"type_id": "fund", "field_values": {"sector": None}}
    changed = answered(shop.workspace.robot.patch("/instruments/bhp.ax", json=body), 200)
    assert changed["extra_fields_snapshot"] == {}


def test_a_new_type_s_required_fields_must_be_given(shop: Stock) -> None:
    shop.workspace.create("instrument-types", identifier="fund")
    for key in ("sector", "manager"):
        shop.workspace.create(
            "instrument-type-fields", type_id="fund", field_key=key, data_type="text", is_required=True
        )
    response = shop.workspace.robot.patch("/instruments/bhp.ax", json={"type_id": "fund"})
    assert refused_fields(response) == {"field_values.manager": "required"}
    body = {"type_id": "fund", "field_values": {"manager": "Jo"}}
    changed = answered(shop.workspace.robot.patch("/instruments/bhp.ax", json=body), 200)
    assert changed["extra_fields_snapshot"] == {"sector": "Materials", "manager": "Jo"}


def test_a_value_that_the_new_type_reads_differently_is_refused(shop: Stock) -> None:
    shop.workspace.create("instrument-types", identifier="fund")
    shop.workspace.create("instrument-type-fields", type_id="fund", field_key="sector", data_type="number")
    response = shop.workspace.robot.patch("/instruments/bhp.ax", json={"type_id": "fund"})
    assert refused_fields(response) == {"field_values.sector": "invalid_number"}


def test_the_values_of_an_archived_field_stay(shop: Stock) -> None:
    answered(shop.workspace.admin.delete(field(shop, "instrument-type-fields", "sector")), 204)
    changed = answered(shop.workspace.robot.patch("/instruments/bhp.ax", json={"name": "BHP Group"}), 200)
    assert changed["extra_fields_snapshot"] == {"sector": "Materials"}
    response = shop.workspace.robot.patch("/instruments/bhp.ax", json={"field_values": {"sector": "Energy"}})
    assert refused_fields(response) == {"field_values.sector": "unknown_field"}


@pytest.mark.parametrize("comes", ["new", "back"])
def test_an_archived_field_s_key_keeps_its_data_type_while_records_hold_values(shop: Stock, comes: str) -> None:
    admin, fields = shop.workspace.admin, "/instrument-type-fields"
    old = {"type_id": "equity", "field_key": "size", "data_type": "text"}
    text = f"{fields}/{answered(admin.post(fields, json=old), 201)['id']}"
    answered(admin.delete(text), 204)
    new = {**old, "data_type": "number"}
    number = f"{fields}/{answered(admin.post(fields, json=new), 201)['id']}"
    if comes == "new":
        answered(admin.delete(number), 204)
        answered(admin.post(f"{text}/restore"), 200)
    answered(admin.patch("/instruments/bhp.ax", json={"field_values": {"size": "12"}}), 200)
    answered(admin.delete(text if comes == "new" else number), 204)

    def ask() -> httpx.Response:
        return admin.post(fields, json=new) if comes == "new" else admin.post(f"{text}/restore")

    problem(ask(), 409, "field_in_use")
    # The record is not shut out by a kind that its value isn't of.
    answered(admin.patch("/instruments/bhp.ax", json={"name": "Still here"}), 200)
    answered(admin.patch("/instruments/bhp.ax", json={"field_values": {"size": None}}), 200)
    assert ask().status_code in (200, 201)


def test_a_composite_value_needs_all_required_items_at_once(shop: Stock) -> None:
    body = {
        "instrument_id": "bhp.ax",
        "type_id": "bar",
        "timestamp": "2026-04-16",
        "items": [{"field_key": "open", "value": "1"}],
    }
    response = shop.workspace.robot.post("/composite-time-series-values", json=body)
    assert refused_fields(response) == {f"items.{key}": "required" for key in KEYS if key != "open"}


@pytest.mark.parametrize("change", [{"instrument_id": "other"}, {"type_id": "other"}, {"timestamp": "2026-04-16"}])
def test_what_names_a_value_never_changes(shop: Stock, change: dict[str, str]) -> None:
    shop.workspace.create("instruments", identifier="other", name="Other", type_id="equity")
    shop.workspace.create("series", identifier="other")
    response = shop.workspace.robot.patch(f"/time-series-values/{shop.value}", json=change)
    assert refused_fields(response) == dict.fromkeys(change, "immutable")


def test_a_scalar_value_does_not_fit_a_composite_series(shop: Stock) -> None:
    body = {"instrument_id": "bhp.ax", "type_id": "bar", "timestamp": "2026-04-16", "value": 1}
    response = shop.workspace.robot.post("/time-series-values", json=body)
    assert refused_fields(response) == {"type_id": "wrong_series_kind"}


def test_a_robot_can_t_change_the_schema(shop: Stock) -> None:
    problem(shop.workspace.robot.post("/instrument-types", json={"identifier": "x"}), 403, "forbidden")
    problem(shop.workspace.robot.delete("/instrument-types/equity"), 403, "forbidden")
    answered(shop.workspace.robot.get("/instrument-types/equity"), 200)
