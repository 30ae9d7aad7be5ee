"""Sixteen clients at once: one of them wins, the others are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.crowd import CLIENTS, at_once, crowd, statuses
from tests.lifecycle.stock import KEYS, Stock
from tests.product import problem

ITEMS = [{"field_key": key, "value": "1"} for key in KEYS]
INSTANT = {"instrument_id": "bhp.ax", "timestamp": "2026-06-01"}
CREATIONS: list[tuple[str, dict[str, Any], str]] = [
    ("instruments", {"identifier": "new", "name": "New", "type_id": "equity"}, "duplicate"),
    ("markets", {"identifier": "new", "name": "New", "type_id": "exchange"}, "duplicate"),
    ("market-listings", {"instrument_id": "free", "market_id": "xasx"}, "duplicate"),
    ("market-calendars", {"market_id": "xasx", "date": "2026-12-25", "is_open": False}, "duplicate"),
    ("time-series-values", {**INSTANT, "type_id": "close", "value": "1"}, "duplicate"),
    ("composite-time-series-values", {**INSTANT, "type_id": "bar", "items": ITEMS}, "duplicate"),
]


@pytest.fixture
def clients(shop: Stock) -> Iterator[list[httpx.Client]]:
    with crowd(shop.workspace) as opened:
        yield opened


@pytest.mark.parametrize(
    ("collection", "body", "code"), CREATIONS, ids=lambda each: each if isinstance(each, str) else ""
)
def test_one_of_many_equal_creations_wins(
    shop: Stock, clients: list[httpx.Client], collection: str, body: dict[str, Any], code: str
) -> None:
    shop.workspace.create("instruments", identifier="free", name="Free", type_id="equity")
    before = len(shop.list(collection))
    answers = at_once(clients, lambda client, _: client.post(f"/{collection}", json=body))
    assert statuses(answers) == {201: 1, 409: CLIENTS - 1}
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, code)
    assert len(shop.list(collection)) == before + 1


def test_one_of_many_overlapping_suspensions_wins(shop: Stock, clients: list[httpx.Client]) -> None:
    answers = at_once(
        clients,
        lambda client, number: client.post(
            "/market-listing-suspensions", json=shop.new_suspension(f"2026-06-{number + 1:02}", "2026-07-01")
        ),
    )
    assert statuses(answers) == {201: 1, 409: CLIENTS - 1}
    assert len(shop.list("market-listing-suspensions")) == 2


def test_one_of_many_restores_wins(shop: Stock, clients: list[httpx.Client]) -> None:
    shop.archive("instruments", shop.instrument)
    answers = at_once(clients, lambda client, _: client.post(f"/instruments/{shop.instrument}/restore"))
    assert statuses(answers) == {200: 1, 409: CLIENTS - 1}


def test_restores_of_namesakes_let_one_of_them_back(shop: Stock, clients: list[httpx.Client]) -> None:
    ids = []
    for _ in clients:
        ids.append(shop.workspace.create("instruments", identifier="same", name="Same", type_id="equity")["id"])
        shop.archive("instruments", ids[-1])
    answers = at_once(clients, lambda client, number: client.post(f"/instruments/{ids[number]}/restore"))
    assert statuses(answers) == {200: 1, 409: CLIENTS - 1}
    assert len(shop.list("instruments", ids="same")) == 1


def test_a_hard_delete_amid_creations_of_children_leaves_no_orphan(shop: Stock, clients: list[httpx.Client]) -> None:
    free = shop.workspace.create("instruments", identifier="free", name="Free", type_id="equity")["id"]

    def ask(client: httpx.Client, number: int) -> httpx.Response:
        if number == CLIENTS // 2:
            return client.delete(f"/instruments/{free}", params={"hard": "true", "cascade": "true"})
        body = {"instrument_id": free, "type_id": "close", "timestamp": f"2026-06-{number + 1:02}", "value": "1"}
        return client.post("/time-series-values", json=body)

    assert statuses(at_once(clients, ask)).keys() <= {201, 204, 422}
    assert [found["id"] for found in shop.list("time-series-values", archived="true")] == [shop.value]
