"""Batches of the same instants at once, and batches against records one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.product import Workspace, answered
from tests.series.desk import SCALAR, close, equip, stored, written

CLIENTS, INSTANTS = 8, 300


def at_once(desk: Workspace, on_conflict: str, value: Callable[[int], str]) -> list[httpx.Response]:
    """Eight clients write overlapping batches, each in an order of its own, again and again."""
    token = desk.token("member")
    times = [f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z" for n in range(INSTANTS)]

    def one(number: int) -> list[httpx.Response]:
        mixed, answers = random.Random(number), []
        with desk.client(token) as client:
            for _ in range(6):
                records = [close(each, value(number)) for each in mixed.sample(times, INSTANTS // 2)]
                answers.append(client.post(f"/{SCALAR}/batch", json={"data": records, "on_conflict": on_conflict}))
        return answers

    with ThreadPoolExecutor(CLIENTS) as threads:
        return [answer for answers in threads.map(one, range(CLIENTS)) for answer in answers]


@pytest.mark.parametrize("on_conflict", ["update", "skip"])
def test_overlapping_batches_all_succeed_and_their_counts_add_up(
    desk: Workspace, counted_items: Callable[[], dict[str, int]], on_conflict: str
) -> None:
    before = counted_items().get("time_series_values", 0)
    answers = at_once(desk, on_conflict, str)
    assert Counter(answer.status_code for answer in answers) == {200: CLIENTS * 6}
    done = Counter[str]()
    for answer in answers:
        done.update(answer.json())
    assert done.total() == CLIENTS * 6 * (INSTANTS // 2)
    rows = stored(desk, SCALAR)
    assert done["created"] == len(rows) == counted_items()["time_series_values"] - before
    assert {row["value"] for row in rows} <= {str(number) for number in range(CLIENTS)}


def test_overlapping_batches_that_must_not_conflict_are_told_so(desk: Workspace) -> None:
    answers = at_once(desk, "error", str)
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert sum(answer.json().get("created", 0) for answer in answers) == len(stored(desk, SCALAR))


def test_batches_get_along_with_archiving_and_single_writers(desk: Workspace) -> None:
    token, times = desk.token("member"), [f"2026-01-{n + 1:02}" for n in range(20)]
    written(desk, SCALAR, *[close(each, 0) for each in times])

    def write(number: int) -> list[int]:
        mixed, found = random.Random(number), []
        with desk.client(token) as client:
            for step in range(15):
                if number % 2:
                    data = [close(each, step) for each in mixed.sample(times, 15)]
                    answer = client.post(f"/{SCALAR}/batch", json={"data": data, "on_conflict": "update"})
                else:
                    one = mixed.choice(client.get(f"/{SCALAR}").json()["data"])
                    answer = client.delete(f"/{SCALAR}/{one['id']}")
                found.append(answer.status_code)
        return found

    with ThreadPoolExecutor(CLIENTS) as threads:
        assert {status for found in threads.map(write, range(CLIENTS)) for status in found} == {200, 204}
    instants = [row["timestamp"] for row in stored(desk, SCALAR)]
    assert len(instants) == len(set(instants))


@pytest.fixture(scope="module")
def pair(new_workspace: Callable[[], Workspace]) -> tuple[Workspace, Workspace]:
    """Two equal workspaces: one takes batches, the other one record after the other."""
    return equip(new_workspace()), equip(new_workspace())


_values = st.one_of(
    st.integers(-(10**30), 10**30), st.decimals(allow_nan=False, allow_infinity=False, places=3).map(lambda n: f"{n:f}")
)
_fields = st.dictionaries(st.sampled_from(["note", "w"]), st.one_of(st.none(), st.integers(0, 9).map(str)), max_size=2)
_record = st.builds(
    lambda day, value, instrument, fields: close(
        f"2026-01-{day:02}", value, instrument=instrument, series="noted", field_values=fields
    ),
    st.integers(1, 9),
    _values,
    st.sampled_from(["bhp.ax", "rio.ax"]),
    _fields,
)
_batch = st.tuples(
    st.sampled_from(["update", "skip"]),
    st.lists(_record, max_size=8, unique_by=lambda record: (record["instrument_id"], record["timestamp"])),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(_batch, min_size=1, max_size=4))
def test_batches_store_what_their_records_would_one_by_one(
    pair: tuple[Workspace, Workspace], batches: list[tuple[str, list[dict[str, Any]]]]
) -> None:
    batched, single = pair
    for on_conflict, records in batches:
        written(batched, SCALAR, *records, on_conflict=on_conflict)
        for record in records:
            answer = single.robot.post(f"/{SCALAR}", json=record)
            if answer.status_code == 409 and on_conflict == "update":
                _patch(single, record)
            else:
                assert answer.status_code in (201, 409)
    assert _comparable(batched) == _comparable(single)


def _patch(workspace: Workspace, record: dict[str, Any]) -> None:
    instrument = answered(workspace.robot.get(f"/instruments/{record['instrument_id']}"), 200)["id"]
    [found] = [
        row
        for row in stored(workspace, SCALAR)
        if row["instrument_id"] == instrument and row["timestamp"].startswith(record["timestamp"])
    ]
    changed = {name: record[name] for name in ("value", "field_values")}
    answered(workspace.robot.patch(f"/{SCALAR}/{found['id']}", json=changed), 200)


def _comparable(workspace: Workspace) -> list[tuple[Any, ...]]:
    names = {row["id"]: row["identifier"] for row in answered(workspace.robot.get("/instruments"), 200)["data"]}
    return sorted(
        (names[row["instrument_id"]], row["timestamp"], row["value"], sorted(row["field_values"].items()))
        for row in stored(workspace, SCALAR)
    )
