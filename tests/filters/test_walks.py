"""Sorts and pages: a total order with nulls last, walked once from end to end, whatever is written meanwhile."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.filters.stock import Shop, condition, sort
from tests.product import Workspace, answered, problem, refused_fields

Record = dict[str, Any]


@pytest.fixture(scope="module")
def shop(new_workspace: Callable[[], Workspace]) -> Iterator[Shop]:
    """Sixty instruments with few different values, so that there are ties and nulls everywhere."""
    shop, chance = Shop(new_workspace()), random.Random(7)
    for number in range(60):
        values: dict[str, Any] = {}
        if chance.random() < 0.7:
            values["shares"] = chance.choice(["5", "5.0", "10", "-3"])
        if chance.random() < 0.6:
            values["listed"] = chance.choice(["2020-01-01", "1999-01-01"])
        if chance.random() < 0.8:
            values["active"] = chance.choice([True, False])
        if chance.random() < 0.5:
            values["sector"] = chance.choice(["b", "B", "Ä", ""])
        if chance.random() < 0.2:
            shop.add(f"i{number}", "bond", name=chance.choice("xyz"), listed=values.get("listed"))
        else:
            shop.add(f"i{number}", name=chance.choice("xyz"), **values)
    yield shop


SORTS = [
    [],
    ["id"],
    ["-id"],
    ["name"],
    ["-name"],
    ["name", "-id"],
    ["field.shares"],
    ["-field.shares"],
    ["-field.shares", "name"],
    ["field.shares", "-field.listed", "name"],
    ["-field.listed", "field.active", "-field.sector"],
    ["field.sector"],
    ["-field.active", "-name"],
    ["type_id", "-field.sector"],
    ["-archived_at", "created_at"],
    ["-identifier"],
]


def value_of(record: Record, field: str) -> Any:
    key = field.removeprefix("field.")
    found = record["extra_fields_snapshot"].get(key) if key != field else record[field]
    return Decimal(found) if found is not None and key == "shares" else found


def in_order(records: list[Record], keys: list[str]) -> list[Record]:
    """As Python sorts them: stably, least significant key first."""
    records = sorted(records, key=lambda record: record["id"])
    for key in reversed(keys):
        field = key.lstrip("-")
        some = [record for record in records if value_of(record, field) is not None]
        none = [record for record in records if value_of(record, field) is None]
        # Not `reverse`: among equals it must not turn the order round.
        groups: dict[Any, list[Record]] = {}
        for record in some:
            groups.setdefault(value_of(record, field), []).append(record)
        some = [record for value in sorted(groups, reverse=key.startswith("-")) for record in groups[value]]
        records = some + none
    return records


@pytest.mark.parametrize("keys", SORTS, ids=lambda keys: ",".join(keys) or "none")
def test_every_sort_is_total_and_has_nulls_last(shop: Shop, keys: list[str]) -> None:
    everything = answered(shop.ask(limit=200), 200)["data"]
    expected = [record["identifier"] for record in in_order(everything, keys)]
    assert shop.found(sort=sort(*keys)) == expected
    for limit in (1, 7):
        assert [record["identifier"] for record in shop.walk(limit, sort=sort(*keys))] == expected


def test_a_walk_of_a_filter_finds_what_one_page_finds(shop: Shop) -> None:
    asked = {"or": [condition("field.shares", "gt", 4), condition("field.sector", "eq", "b")]}
    for keys in SORTS:
        body: Record = {"filter": asked, "sort": sort(*keys)}
        assert [each["identifier"] for each in shop.walk(4, **body)] == shop.found(asked, sort=sort(*keys)), keys


def test_a_walk_sees_each_record_once_while_others_are_written(workspace: Workspace) -> None:
    shop, chance = Shop(workspace), random.Random(11)
    steady = {shop.add(f"s{number}", shares=chance.randrange(5), name="steady")["identifier"] for number in range(40)}
    stop = threading.Event()

    def write() -> None:
        """Moves records of its own about in every sort, and makes and removes some."""
        client, number = workspace.client(workspace.token("member")), 0
        moving = [shop.add(f"m{each}", name="moving")["identifier"] for each in range(5)]
        while not stop.is_set():
            number += 1
            body = {"name": f"moving {number}", "field_values": {"shares": chance.randrange(5)}}
            answered(client.patch(f"/instruments/{chance.choice(moving)}", json=body), 200)
            answered(
                client.post("/instruments", json={"identifier": f"n{number}", "name": "n", "type_id": "bond"}), 201
            )
            answered(client.delete(f"/instruments/n{number}", params={"hard": "true"}), 204)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for keys in SORTS:
            walked = [record["identifier"] for record in shop.walk(3, sort=sort(*keys))]
            assert sorted(name for name in walked if name in steady) == sorted(steady), keys
    finally:
        stop.set()
        writer.join()


def test_a_cursor_is_refused_by_every_other_list(shop: Shop, new_workspace: Callable[[], Workspace]) -> None:
    asked: Record = {"limit": 2, "sort": sort("field.shares"), "filter": condition("name", "eq", "x")}
    asked["type_id"] = "equity"
    after = answered(shop.ask(**asked), 200)["meta"]["next_cursor"]
    answered(shop.ask(**asked, after=after), 200)
    answered(shop.ask(**{**asked, "limit": 3}, after=after), 200)
    changes: list[Record] = [
        {"sort": sort("-field.shares")},
        {"sort": []},
        {"filter": condition("name", "eq", "y")},
        {"type_id": None},
        {"q": "i"},
        {"archived": "all"},
    ]
    for change in changes:
        problem(shop.ask(**{**asked, **change}, after=after), 400, "invalid_cursor")
    problem(shop.ask("markets", limit=2, after=after), 400, "invalid_cursor")
    problem(Shop(new_workspace()).ask(**asked, after=after), 400, "invalid_cursor")
    for forged in (after[:-1], after[1:], f"{after}A", "", "é", "AAAA"):
        problem(shop.ask(**asked, after=forged), 400, "invalid_cursor")


def test_a_cursor_is_refused_when_its_sort_means_something_else_by_now(workspace: Workspace) -> None:
    shop = Shop(workspace)
    for number in range(3):
        shop.add(f"b{number}", "bond", issuer=f"text {number}")
    asked: Record = {"limit": 1, "sort": sort("field.issuer")}
    after = answered(shop.ask(**asked), 200)["meta"]["next_cursor"]
    fields = answered(workspace.robot.get("/instrument-type-fields", params={"type_id": "bond"}), 200)["data"]
    [issuer] = [field["id"] for field in fields if field["field_key"] == "issuer"]
    answered(workspace.admin.delete(f"/instrument-type-fields/{issuer}"), 204)
    workspace.create("instrument-type-fields", type_id="equity", field_key="issuer", data_type="date")
    problem(shop.ask(**asked, after=after), 400, "invalid_cursor")


@pytest.mark.parametrize("field", ["nope", "field.nope", "extras", "field_values", "workspace_id", "recorded_at", ""])
def test_a_sort_by_what_there_isn_t_is_refused_by_its_place(shop: Shop, field: str) -> None:
    response = shop.ask(sort=[*sort("name"), {"field": field}])
    assert refused_fields(response) == {"sort.1.field": "unknown_field"}


def test_a_sort_has_ten_keys_at_most(shop: Shop) -> None:
    answered(shop.ask(sort=sort(*["name"] * 10)), 200)
    assert refused_fields(shop.ask(sort=sort(*["name"] * 11))) == {"sort": "invalid_length"}


def test_the_first_of_two_keys_alike_counts(shop: Shop) -> None:
    assert shop.found(sort=sort("-name", "name")) == shop.found(sort=sort("-name"))
