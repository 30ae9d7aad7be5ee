"""A walk by cursor while another client writes: each row whose sort keys don't change is seen exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from random import Random
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.filters import equities
from tests.product import Workspace, answered

RESTLESS = 200
"""Rows that are renamed, moved to the other type, archived and restored all the time."""

SORTS: list[list[dict[str, str]]] = [
    [],
    [{"field": "name"}],
    [{"field": "name", "direction": "desc"}],
    [{"field": "type_id", "direction": "desc"}, {"field": "identifier"}],
    [{"field": "archived_at"}, {"field": "name", "direction": "desc"}],
    [{"field": "archived_at", "direction": "desc"}],
    [{"field": "created_at", "direction": "desc"}, {"field": "name"}],
]
CUSTOM_SORTS: list[list[dict[str, str]]] = [
    [{"field": "field.shares", "direction": "desc"}],
    [{"field": "field.liquid"}, {"field": "field.ipo", "direction": "desc"}],
    [{"field": "field.rank"}, {"field": "field.sector", "direction": "desc"}],
]


@pytest.fixture(scope="module")
def market(new_workspace: Callable[[], Workspace]) -> Workspace:
    workspace = new_workspace()
    equities.load(workspace)
    return workspace


@pytest.mark.parametrize("sort", [*SORTS, *CUSTOM_SORTS], ids=str)
def test_a_walk_amid_writes_sees_every_quiet_row_once(market: Workspace, sort: list[dict[str, str]]) -> None:
    before = [record["id"] for record in equities.records(market)]
    restless, quiet = before[:: len(before) // RESTLESS], set(before)
    quiet -= set(restless)
    with writing(market, restless) as written:
        seen = Counter(walk(market, sort))
        assert written(), "nobody wrote meanwhile"
    assert quiet - seen.keys() == set()
    assert {each for each in quiet if seen[each] != 1} == set()


def walk(market: Workspace, sort: list[dict[str, str]]) -> Iterator[str]:
    body: dict[str, Any] = {"sort": sort, "archived": "all", "limit": 40}
    while True:
        page = answered(market.robot.post("/instruments/filter", json=body), 200)
        yield from (row["id"] for row in page["data"])
        if not page["meta"]["has_more"]:
            return
        body["after"] = page["meta"]["next_cursor"]


@contextmanager
def writing(market: Workspace, restless: list[str]) -> Iterator[Callable[[], int]]:
    """Another client, which writes until the block ends; answers how much it has written."""
    stop, answers = Event(), list[httpx.Response]()
    with market.client(market.token("member")) as client:

        def write() -> None:
            random = Random(len(restless))
            for number in count():
                if stop.is_set():
                    return
                answers.append(_one(client, f"/instruments/{random.choice(restless)}", number))

        writer = Thread(target=write)
        writer.start()
        try:
            yield lambda: len(answers)
        finally:
            stop.set()
            writer.join()
    assert {answer.status_code for answer in answers} <= {200, 201, 204, 409}


def _one(client: httpx.Client, path: str, number: int) -> httpx.Response:
    way = number % 5
    if way == 0:
        return client.post("/instruments", json={"identifier": f"n{number}", "name": "~", "type_id": "equity"})
    if way == 1:
        return client.patch(path, json={"name": f"{'az'[number % 2]}{number}"})
    if way == 2:
        return client.patch(path, json={"extras": {"number": number}, "field_values": {"shares": number}})
    return client.delete(path) if way == 3 else client.post(f"{path}/restore")
