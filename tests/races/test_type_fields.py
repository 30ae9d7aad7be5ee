"""Definitions change while records are written by them: either waits for the other, and both agree in the end."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.crowd import at_once
from tests.lifecycle.stock import Stock
from tests.product import answered

ROUNDS = range(4)
EDITOR = 8
"""Which of the clients changes the definition; the others write records."""


def records(shop: Stock, type_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [each["extra_fields_snapshot"] for each in shop.list("instruments", type_id=type_id)]
    return found


def fresh_field(shop: Stock, number: int, **more: Any) -> tuple[str, dict[str, Any]]:
    """A new type, and the body of a field of it."""
    type_id = f"type-{number}"
    shop.workspace.create("instrument-types", identifier=type_id)
    return type_id, {"type_id": type_id, "field_key": "key", "data_type": "text", **more}


def instrument(type_id: str, number: int, **values: str) -> dict[str, Any]:
    return {"identifier": f"{type_id}-{number}", "name": "N", "type_id": type_id, "field_values": values}


@pytest.mark.parametrize("number", ROUNDS)
def test_a_field_that_is_deleted_leaves_no_values_behind(shop: Stock, clients: list[httpx.Client], number: int) -> None:
    type_id, body = fresh_field(shop, number)
    path = f"/instrument-type-fields/{shop.workspace.create('instrument-type-fields', **body)['id']}"

    def ask(client: httpx.Client, place: int) -> httpx.Response:
        if place == EDITOR:
            return shop.workspace.admin.delete(path, params={"hard": "true"})
        return client.post("/instruments", json=instrument(type_id, place, key="v"))

    answers = at_once(clients, ask)
    assert answers[EDITOR].status_code in (204, 409)
    assert answers[EDITOR].status_code == 409 or not any(records(shop, type_id))


@pytest.mark.parametrize("number", ROUNDS)
def test_a_field_that_becomes_a_number_holds_no_words(shop: Stock, clients: list[httpx.Client], number: int) -> None:
    type_id, body = fresh_field(shop, number)
    path = f"/instrument-type-fields/{shop.workspace.create('instrument-type-fields', **body)['id']}"

    def ask(client: httpx.Client, place: int) -> httpx.Response:
        if place == EDITOR:
            return shop.workspace.admin.patch(path, json={"data_type": "number"})
        return client.post("/instruments", json=instrument(type_id, place, key="word"))

    answers = at_once(clients, ask)
    assert answers[EDITOR].status_code in (200, 409)
    assert answers[EDITOR].status_code == 409 or not any(records(shop, type_id))


@pytest.mark.parametrize("number", ROUNDS)
def test_a_new_required_field_is_missing_from_no_record(shop: Stock, clients: list[httpx.Client], number: int) -> None:
    type_id, body = fresh_field(shop, number, is_required=True)

    def ask(client: httpx.Client, place: int) -> httpx.Response:
        if place == EDITOR:
            return shop.workspace.admin.post("/instrument-type-fields", json=body)
        return client.post("/instruments", json=instrument(type_id, place))

    answers = at_once(clients, ask)
    assert answers[EDITOR].status_code in (201, 409)
    assert answers[EDITOR].status_code == 409 or not records(shop, type_id)


def test_many_new_required_fields_of_one_type_wait_for_each_other(shop: Stock, clients: list[httpx.Client]) -> None:
    type_id, body = fresh_field(shop, 0, is_required=True)
    answers = at_once(
        clients,
        lambda _, place: shop.workspace.admin.post("/instrument-type-fields", json={**body, "field_key": f"k{place}"}),
    )
    for answer in answers:
        answered(answer, 201)
    assert len(shop.list("instrument-type-fields", type_id=type_id)) == len(clients)
