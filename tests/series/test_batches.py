"""Up to ten thousand values in one request: all of them or none, each by the rules of a POST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.product import Workspace, answered, problem, refused_fields
from tests.series.desk import COMPOSITE, KEYS, SCALAR, bar, close, send, stored, written

Events = Callable[..., list[dict[str, Any]]]


def test_a_batch_creates_every_record(desk: Workspace) -> None:
    bhp = answered(desk.robot.get("/instruments/bhp.ax"), 200)["id"]
    records = [close("2026-01-01", "45.820"), close("2026-01-02", 46, instrument=bhp.upper()), close("2026-01-03", 0.1)]
    assert written(desk, SCALAR, *records) == (3, 0, 0)
    assert [row["value"] for row in stored(desk, SCALAR)] == ["45.820", "46", "0.1"]


def test_a_batch_creates_composite_values_with_their_items(
    desk: Workspace, counted_items: Callable[[], dict[str, int]]
) -> None:
    before = counted_items()
    assert written(desk, COMPOSITE, bar("2026-01-01", open="1.50"), bar("2026-01-02")) == (2, 0, 0)
    items = {item["field_key"]: item["value"] for item in stored(desk, COMPOSITE)[0]["items"]}
    assert items == {"open": "1.50", "high": "1", "low": "1", "close": "1"}
    gained = {kind: number - before.get(kind, 0) for kind, number in counted_items().items()}
    assert gained[COMPOSITE.replace("-", "_")] == 2
    assert gained["composite_time_series_value_items"] == 2 * len(KEYS)


def test_a_batch_leaves_one_event_that_tells_how_much_of_what_and_when(desk: Workspace, events: Events) -> None:
    written(desk, SCALAR, close("2026-01-01", 1))
    records = [close("2026-01-03", 1), close("2026-01-01", 1), close("2026-01-02", 1, instrument="rio.ax")]
    written(desk, SCALAR, *records, on_conflict="skip")
    assert not events(event_type="time_series_value.created")
    changes = {
        name: change["to"]
        for name, change in events(event_type="time_series_value.batch_written")[1]["changes"].items()
    }
    named = answered(desk.robot.get("/instruments", params={"ids": "bhp.ax,rio.ax"}), 200)["data"]
    assert changes.pop("instruments") == {"number": 2, "ids": sorted(each["id"] for each in named)}
    assert changes.pop("series")["number"] == 1
    assert changes == {
        "count": 2,
        "created": 2,
        "updated": 0,
        "skipped": 1,
        "span": {"first": "2026-01-02T00:00:00Z", "last": "2026-01-03T00:00:00Z"},
    }


@pytest.mark.parametrize("on_conflict", ["error", "update", "skip"])
def test_an_empty_batch_writes_nothing_and_leaves_no_event(desk: Workspace, events: Events, on_conflict: str) -> None:
    assert written(desk, SCALAR, on_conflict=on_conflict) == (0, 0, 0)
    assert not events(event_type="time_series_value.batch_written")


BAD: list[tuple[str, Any]] = [
    (SCALAR, 7),
    (SCALAR, {}),
    (SCALAR, close("2026-01-01", "n/a")),
    (SCALAR, close("2026-01-01", None)),
    (SCALAR, close("2026-01-01T10:00:00", True)),
    (SCALAR, close("2026-02-30T00:00:00Z", "1e400")),
    (SCALAR, close("2026-01-01", 1, instrument="a b", series="")),
    (SCALAR, close("2026-01-01", 1, instrument="nab.ax", series="nothing")),
    (SCALAR, close("2026-01-01", 1, instrument="019a2c49-0000-7000-8000-000000000000")),
    (SCALAR, close("2026-01-01", 1, series="bar")),
    (SCALAR, close("2026-01-01", 1, id="019a2c49-0000-7000-8000-000000000000")),
    (SCALAR, close("2026-01-01", 1, field_values={"sector": "x"})),
    (SCALAR, close("2026-01-01", 1, field_values=None)),
    (SCALAR, close("2026-01-01", 1, series="noted", field_values={"day": "soon", "final": "maybe", "w": "x"})),
    (COMPOSITE, bar("2026-01-01", open="x", volume=1)),
    (COMPOSITE, bar("2026-01-01") | {"items": []}),
    (COMPOSITE, bar("2026-01-01") | {"items": [{"field_key": "open"}]}),
    (COMPOSITE, bar("2026-01-01") | {"type_id": "close"}),
]


@pytest.mark.parametrize(("collection", "record"), BAD, ids=[str(number) for number in range(len(BAD))])
@pytest.mark.parametrize("on_conflict", ["error", "update", "skip"])
def test_a_bad_record_is_refused_as_a_post_of_it_would_be(
    desk: Workspace, collection: str, record: Any, on_conflict: str
) -> None:
    alone = desk.robot.post(f"/{collection}", json=record)
    # The body itself is the record there, and is called so.
    wanted = {f"data.1.{field}".removesuffix(".body"): code for field, code in refused_fields(alone).items()}
    good = close("2026-06-01", 1) if collection == SCALAR else bar("2026-06-01")
    assert refused_fields(send(desk, collection, good, record, on_conflict=on_conflict)) == wanted
    assert not stored(desk, collection)


def test_all_bad_records_are_named_at_once(desk: Workspace) -> None:
    answer = send(
        desk, SCALAR, close("2026-01-01", "x"), close("2026-01-02", 1), close("2026-01-03", 1, instrument="no")
    )
    assert refused_fields(answer) == {
        "data.0.value": "invalid_number",
        "data.2.instrument_id": "unknown_reference",
    }
    assert "2 records" in answer.json()["detail"]


def test_of_very_many_faults_the_first_hundred_are_named(desk: Workspace) -> None:
    body = problem(send(desk, SCALAR, *[close("2026-01-01", "x")] * 150), 422, "invalid_values")
    assert [error["field"] for error in body["errors"]] == [f"data.{n}.value" for n in range(100)]
    assert "150 records" in body["detail"]
    assert "the first 100 of 150" in body["detail"]


@pytest.mark.parametrize(("collection", "make"), [(SCALAR, lambda t: close(t, 1)), (COMPOSITE, bar)])
def test_taken_instants_are_a_conflict_that_names_the_records(
    desk: Workspace, collection: str, make: Callable[[str], dict[str, Any]], events: Events
) -> None:
    written(desk, collection, make("2026-01-02"), make("2026-01-04"))
    body = problem(send(desk, collection, *[make(f"2026-01-0{n}") for n in range(5, 0, -1)]), 409, "duplicate")
    assert [error["field"] for error in body["errors"]] == ["data.1", "data.3"]
    assert len(stored(desk, collection)) == 2
    assert len([event for event in events() if event["event_type"].endswith("batch_written")]) == 1


@pytest.mark.parametrize("on_conflict", ["error", "update"])
def test_an_instant_that_is_there_twice_is_refused(desk: Workspace, on_conflict: str) -> None:
    bhp = answered(desk.robot.get("/instruments/bhp.ax"), 200)["id"]
    records = [close("2026-01-01T10:00:00+10:00", 1), close("2026-01-02", 1), close("2026-01-01", 2, instrument=bhp)]
    answer = send(desk, SCALAR, *records, on_conflict=on_conflict)
    assert refused_fields(answer) == {"data.2.timestamp": "repeated"}
    assert "data.0" in answer.json()["detail"]


def test_skip_keeps_the_first_value_of_an_instant(desk: Workspace) -> None:
    written(desk, SCALAR, close("2026-01-01", 1))
    records = [close("2026-01-02", 2), close("2026-01-01", 3), close("2026-01-02", 4)]
    assert written(desk, SCALAR, *records, on_conflict="skip") == (1, 0, 2)
    assert [row["value"] for row in stored(desk, SCALAR)] == ["1", "2"]


def test_update_changes_what_differs_and_leaves_the_rest_alone(desk: Workspace, events: Events) -> None:
    written(desk, SCALAR, *[close(f"2026-01-0{n}", f"{n}.0") for n in (1, 2)])
    before = stored(desk, SCALAR)
    records = [close("2026-01-01", "1.0"), close("2026-01-02", "2.00"), close("2026-01-03", "3")]
    assert written(desk, SCALAR, *records, on_conflict="update") == (1, 1, 1)
    after = stored(desk, SCALAR)
    assert after[0] == before[0]
    assert after[1] == before[1] | {"value": "2.00", "updated_at": after[1]["updated_at"]}
    assert after[1]["updated_at"] > before[1]["updated_at"]
    assert events(event_type="time_series_value.batch_written")[-1]["changes"]["count"]["to"] == 2


def test_an_update_that_changes_nothing_leaves_no_event(desk: Workspace, events: Events) -> None:
    records = [close("2026-01-01", 1), close("2026-01-02", 2)]
    written(desk, SCALAR, *records)
    assert written(desk, SCALAR, *records, on_conflict="update") == (0, 0, 2)
    assert len(events(event_type="time_series_value.batch_written")) == 1


def test_update_merges_items_and_fields_as_a_patch_does(
    desk: Workspace, counted_items: Callable[[], dict[str, int]]
) -> None:
    written(desk, COMPOSITE, bar("2026-01-01"))
    counted = counted_items()
    part = bar("2026-01-01") | {"items": [{"field_key": "close", "value": "2"}]}
    assert written(desk, COMPOSITE, part, on_conflict="update") == (0, 1, 0)
    items = {item["field_key"]: item["value"] for item in stored(desk, COMPOSITE)[0]["items"]}
    assert items == {"open": "1", "high": "1", "low": "1", "close": "2"}
    assert counted_items() == counted
    written(desk, SCALAR, close("2026-01-01", 1, series="noted", field_values={"note": "a", "w": 1}))
    change = close("2026-01-01", 1, series="noted", field_values={"note": None, "final": True})
    assert written(desk, SCALAR, change, on_conflict="update") == (0, 1, 0)
    assert stored(desk, SCALAR)[0]["field_values"] == {"w": "1", "final": "true"}


def test_a_new_composite_value_needs_its_required_items_in_an_update_too(desk: Workspace) -> None:
    part = bar("2026-01-01") | {"items": [{"field_key": "close", "value": "2"}]}
    refused = refused_fields(send(desk, COMPOSITE, part, on_conflict="update"))
    assert refused == {f"data.0.items.{key}": "required" for key in ("open", "high", "low")}


@pytest.mark.parametrize("on_conflict", ["error", "update", "skip"])
def test_an_archived_value_does_not_hold_its_instant(desk: Workspace, on_conflict: str) -> None:
    archived = desk.create(SCALAR, **close("2026-01-01", 1))["id"]
    answered(desk.robot.delete(f"/{SCALAR}/{archived}"), 204)
    assert written(desk, SCALAR, close("2026-01-01", 2), on_conflict=on_conflict) == (1, 0, 0)
    assert [row["value"] for row in stored(desk, SCALAR)] == ["2"]
    assert len(stored(desk, SCALAR, archived="true")) == 2


def test_new_values_of_an_archived_instrument_are_a_conflict(desk: Workspace) -> None:
    desk.create(SCALAR, **close("2026-01-01", 1, instrument="rio.ax"))
    answered(desk.robot.delete("/instruments/rio.ax"), 204)
    records = [close("2026-01-01", 1), close("2026-01-02", 1, instrument="rio.ax")]
    body = problem(send(desk, SCALAR, *records), 409, "parent_archived")
    assert [error["field"] for error in body["errors"]] == ["data.1.instrument_id"]
    # A value that is there can be corrected, as by a PATCH.
    assert written(desk, SCALAR, close("2026-01-01", 2, instrument="rio.ax"), on_conflict="update") == (0, 1, 0)


def test_a_batch_has_at_most_ten_thousand_records(desk: Workspace) -> None:
    answer = send(desk, SCALAR, *[close("2026-01-01", 1)] * 10_001)
    assert refused_fields(answer) == {"data": "invalid_length"}
    times = [f"2026-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z" for n in range(10_000)]
    assert written(desk, SCALAR, *[close(each, 1) for each in times]) == (10_000, 0, 0)


def test_a_batch_may_be_larger_than_other_bodies(desk: Workspace) -> None:
    note = {"note": "x" * 10_000}
    records = [
        close(f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z", 1, series="noted", field_values=note) for n in range(1100)
    ]
    assert written(desk, SCALAR, *records) == (1100, 0, 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "data"),
        ({"data": {}}, "data"),
        ({"data": [], "on_conflict": "ignore"}, "on_conflict"),
        ({"data": [], "x": 1}, "x"),
    ],
)
def test_a_malformed_batch_is_refused(desk: Workspace, body: dict[str, Any], field: str) -> None:
    assert list(refused_fields(desk.robot.post(f"/{SCALAR}/batch", json=body))) == [field]


def test_a_viewer_writes_no_batch(desk: Workspace) -> None:
    viewer = desk.client(desk.token("viewer"))
    problem(viewer.post(f"/{SCALAR}/batch", json={"data": []}), 403, "forbidden")
