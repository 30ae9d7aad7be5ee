"""Sixteen clients at once: one of them wins, the others are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.crowd import CLIENTS, at_once, statuses
from tests.lifecycle.stock import KEYS, Stock
from tests.product import problem

ITEMS = [{"field_key": key, "value": "1"} for key in KEYS]
INSTANT = {"instrument_id": "bhp.ax", "timestamp": "2026-06-01"}
RENAMED = {"identifier": "same"}
CREATIONS: list[tuple[str, dict[str, Any], str]] = [
    ("instruments", {"identifier": "new", "name": "New", "type_id": "equity"}, "duplicate"),
    ("markets", {"identifier": "new", "name": "New", "type_id": "exchange"}, "duplicate"),
    ("market-listings", {"instrument_id": "free", "market_id": "xasx"}, "duplicate"),
    ("market-calendars", {"market_id": "xasx", "date": "2026-12-25", "is_open": False}, "duplicate"),
    ("time-series-values", {**INSTANT, "type_id": "close", "value": "1"}, "duplicate"),
    ("composite-time-series-values", {**INSTANT, "type_id": "bar", "items": ITEMS}, "duplicate"),
]


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


def test_one_of_many_renames_to_the_same_name_wins(shop: Stock, clients: list[httpx.Client]) -> None:
    for number in range(CLIENTS):
        shop.workspace.create("instruments", identifier=f"i{number}", name="Any", type_id="equity")
    answers = at_once(clients, lambda client, number: client.patch(f"/instruments/i{number}", json=RENAMED))
    assert statuses(answers) == {200: 1, 409: CLIENTS - 1}
    assert len(shop.list("instruments", ids="same")) == 1


def test_one_of_many_suspensions_moved_to_the_same_period_wins(shop: Stock, clients: list[httpx.Client]) -> None:
    ids = [
        shop.workspace.create(
            "market-listing-suspensions", **shop.new_suspension(f"2027-01-{day:02}", f"2027-01-{day + 1:02}")
        )["id"]
        for day in range(1, CLIENTS + 1)
    ]
    period = {"suspended_from": "2028-01-01", "suspended_until": None}
    answers = at_once(
        clients, lambda client, number: client.patch(f"/market-listing-suspensions/{ids[number]}", json=period)
    )
    assert statuses(answers) == {200: 1, 409: CLIENTS - 1}
    assert [found["suspended_until"] for found in shop.list("market-listing-suspensions")].count(None) == 1


def test_one_of_many_archivings_is_told(
    shop: Stock, clients: list[httpx.Client], events: Callable[..., list[dict[str, Any]]]
) -> None:
    answers = at_once(clients, lambda client, _: client.delete("/instruments/bhp.ax"))
    assert statuses(answers) == {204: CLIENTS}
    assert len(events(resource_id=shop.instrument, event_type="instrument.archived")) == 1


def test_one_of_many_hard_deletes_finds_the_record(
    shop: Stock, clients: list[httpx.Client], events: Callable[..., list[dict[str, Any]]]
) -> None:
    answers = at_once(clients, lambda client, _: client.delete("/markets/xasx?hard=true"))
    assert statuses(answers) == {204: 1, 404: CLIENTS - 1}
    assert len(events(resource_id=shop.market, event_type="market.deleted")) == 1


def test_changes_archivings_and_restores_of_one_record_wait_for_each_other(
    shop: Stock, clients: list[httpx.Client], events: Callable[..., list[dict[str, Any]]]
) -> None:
    path = "/instruments/bhp.ax"
    asks: list[Callable[[httpx.Client, int], httpx.Response]] = [
        lambda client, number: client.patch(path, json={"name": f"Name {number}"}),
        lambda client, _: client.delete(path),
        lambda client, _: client.post(f"{path}/restore"),
        lambda client, number: client.patch(path, json={"field_values": {"shares": number}}),
    ]
    answers = at_once(clients, lambda client, number: asks[number % 4](client, number))
    assert statuses(answers).keys() <= {200, 204, 409}
    told = [event["event_type"].rpartition(".")[2] for event in events(resource_id=shop.instrument)]
    assert "".join(verb[0] for verb in told if verb in ("archived", "restored")) in ("ar" * 4 + "a")[: len(answers)]
    assert told.count("updated") == sum(answer.status_code == 200 for answer in answers) - told.count("restored")


@pytest.mark.parametrize(("on_conflict", "expected"), [("error", {200: 1, 409: CLIENTS - 1}), ("skip", {200: CLIENTS})])
def test_batches_of_the_same_instants_in_opposite_order_never_block_each_other(
    shop: Stock, clients: list[httpx.Client], on_conflict: str, expected: dict[int, int]
) -> None:
    points = [{**INSTANT, "type_id": "close", "timestamp": f"2026-06-{day:02}", "value": "1"} for day in range(1, 29)]
    answers = at_once(
        clients,
        lambda client, number: client.post(
            "/time-series-values/batch", json={"data": points[:: (-1) ** number], "on_conflict": on_conflict}
        ),
    )
    assert statuses(answers) == expected
    assert len(shop.list("time-series-values")) == 29
