"""Values at the edges of what can be written, and moments at the edges of what can happen at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.product import Workspace, answered, refused_fields

FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"


@pytest.mark.parametrize("instant", [FIRST, LAST])
@pytest.mark.parametrize("file_format", ["json", "csv"])
def test_the_first_and_the_last_instant_come_back_from_a_backup(
    instant: str, file_format: str, workspace: Workspace, new_workspace: Callable[[], Workspace]
) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    value = workspace.create("time-series-values", instrument_id="a", type_id="close", timestamp=instant, value="1")
    assert value["timestamp"] == instant
    instruments = workspace.export("instruments", format=file_format)
    values = workspace.export("time_series_values", format=file_format)
    other = new_workspace()
    other.equity()
    other.import_file("instruments", instruments)
    assert other.import_file("time_series_values", values)["rows_imported"] == 1
    assert other.export("time_series_values", format=file_format) == values


def test_a_listing_may_end_on_the_last_day_there_is(workspace: Workspace, events: Callable[..., list[Any]]) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    workspace.create("markets", identifier="m", name="M", type_id="exchange")
    days = {"listed_on": "0001-01-01", "delisted_on": "9999-12-31"}
    listing = workspace.create("market-listings", instrument_id="a", market_id="m", **days)
    assert {name: listing[name] for name in days} == days
    [event] = events(resource_id=listing["id"])
    assert event["changes"]["delisted_on"]["to"] == "9999-12-31"


def test_a_suspension_may_span_all_of_time(workspace: Workspace) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    workspace.create("markets", identifier="m", name="M", type_id="exchange")
    listing = workspace.create("market-listings", instrument_id="a", market_id="m")["id"]
    path = "/market-listing-suspensions"
    made = workspace.create("market-listing-suspensions", listing_id=listing, suspended_from="2026-01-01")
    changed = answered(
        workspace.robot.patch(f"{path}/{made['id']}", json={"suspended_from": FIRST, "suspended_until": LAST}), 200
    )
    assert (changed["suspended_from"], changed["suspended_until"]) == (FIRST, LAST)


@pytest.mark.parametrize(
    ("before", "after"),
    [({"a": True}, {"a": 1}), ({"a": 0}, {"a": False}), ({"a": [1]}, {"a": [1.0]}), ({}, None)],
)
def test_true_in_extras_becomes_one_when_it_is_changed_so(
    workspace: Workspace, events: Callable[..., list[Any]], before: Any, after: Any
) -> None:
    workspace.equity()
    made = workspace.create("instruments", identifier="a", name="A", type_id="equity", extras=before)
    changed = answered(workspace.robot.patch("/instruments/a", json={"extras": after}), 200)
    assert repr(changed["extras"]) == repr(after)
    [event] = events(resource_id=made["id"], event_type="instrument.updated")
    assert repr(event["changes"]["extras"]["to"]) == repr(after)


@pytest.mark.parametrize("number", ["1E5", "100000", "-0.0", "1.50e1", "1e-7"])
def test_extras_with_the_same_number_change_nothing(workspace: Workspace, number: str) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    body = {"content": f'{{"extras": {{"a": {number}}}}}', "headers": {"Content-Type": "application/json"}}
    changed = answered(workspace.robot.patch("/instruments/a", **body), 200)  # type: ignore[arg-type] # two of its names
    assert answered(workspace.robot.patch("/instruments/a", **body), 200) == changed  # type: ignore[arg-type] # the same


def test_a_record_that_is_archived_and_restored_meanwhile_is_never_unknown(workspace: Workspace) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="race", name="R", type_id="equity")

    def toggle(turn: int) -> int:
        client = workspace.client(workspace.robot.headers["authorization"].removeprefix("Bearer "))
        if turn % 2:
            return client.delete("/instruments/race").status_code
        return client.post("/instruments/race/restore").status_code

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(toggle, range(48))) <= {200, 204, 409}


def test_a_cascade_deletes_more_values_than_fit_in_one_go(
    workspace: Workspace, events: Callable[..., list[Any]]
) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    lines = "".join(f"a,close,{1900 + n // 336:04}-{n // 28 % 12 + 1:02}-{n % 28 + 1:02},1\n" for n in range(20_500))
    job = workspace.import_file("time_series_values", b"instrument,type_id,timestamp,value\n" + lines.encode())
    assert job["rows_imported"] == 20_500
    answer = workspace.robot.delete("/instruments/a", params={"hard": "true", "cascade": "true"})
    assert answer.status_code == 204
    assert answered(workspace.robot.post("/time-series-values/count", json={"archived": "all"}), 200) == {"count": 0}
    [event] = events(event_type="time_series_value.deleted")
    assert event["changes"]["count"] == {"from": 20_500, "to": 0}


def test_cascade_is_refused_where_nothing_is_hard_deleted(workspace: Workspace) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    answer = workspace.robot.delete("/instruments/a", params={"cascade": "true"})
    assert refused_fields(answer) == {"cascade": "requires_hard"}
    assert answered(workspace.robot.get("/instruments/a"), 200)["archived_at"] is None


@pytest.mark.parametrize(("data_type", "sent", "kept"), [("number", 100, "100"), ("boolean", True, "true")])
def test_a_default_is_sent_as_json_writes_it(data_type: str, sent: Any, kept: str, workspace: Workspace) -> None:
    workspace.equity()
    default = {"has_default": True, "default_value": sent}
    made = workspace.create("instrument-type-fields", type_id="equity", field_key="k", data_type=data_type, **default)
    assert made["default_value"] == kept


def test_a_number_in_another_notation_is_no_change(workspace: Workspace, events: Callable[..., list[Any]]) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    workspace.create("markets", identifier="m", name="M", type_id="exchange")
    listing = workspace.create("market-listings", instrument_id="a", market_id="m", lot_size="100")
    path = f"/market-listings/{listing['id']}"
    assert answered(workspace.robot.patch(path, json={"lot_size": "1e2"}), 200) == listing
    assert len(events(resource_id=listing["id"])) == 1
    assert answered(workspace.robot.patch(path, json={"lot_size": "100.0"}), 200)["lot_size"] == "100.0"


@pytest.mark.parametrize("identifier", [".", ".."])
def test_an_identifier_that_addresses_fold_away_is_refused(identifier: str, workspace: Workspace) -> None:
    workspace.equity()
    body = {"identifier": identifier, "name": "X", "type_id": "equity"}
    assert refused_fields(workspace.robot.post("/instruments", json=body)) == {"identifier": "invalid_identifier"}


def test_a_row_that_cannot_be_read_has_that_one_error(workspace: Workspace) -> None:
    workspace.equity()
    content = b"identifier,name,type_id\na,A,equity,too,many\nb,B,equity\n"
    job = workspace.import_file("instruments", content, "continue")
    assert [(error["row"], error["line"], error["code"]) for error in job["errors"]] == [(1, 2, "wrong_cell_count")]
    assert (job["rows_imported"], job["rows_failed"], job["row_count"]) == (1, 1, 2)


def test_an_import_that_fails_before_its_rows_says_the_format_and_no_count(workspace: Workspace) -> None:
    job = workspace.import_file("instruments", b"identifier;name;type_id\na;A;equity\n")
    assert (job["status"], job["format"], job["row_count"]) == ("failed", "csv", None)
    assert "separate the columns by commas" in job["error"]
