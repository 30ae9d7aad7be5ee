"""Imports that change what is there: each row finds its record by one column."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.product import Workspace, answered, refused_fields

Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.equity()
    for identifier, sector in (("bhp", "Materials"), ("rio", "Metals")):
        values = {"sector": sector, "shares": "10"}
        workspace.create(
            "instruments", identifier=identifier, name=identifier.upper(), type_id="equity", field_values=values
        )
    return workspace


def upsert(workspace: Workspace, resource_type: str, content: str, key: str, **more: Any) -> dict[str, Any]:
    data = {"resource_type": resource_type, "identifier_column": key, "on_error": "continue", **more}
    answer = workspace.robot.post("/imports", files={"file": content.encode()}, data=data)
    return workspace.finished("imports", answered(answer, 202))


def counts(job: dict[str, Any]) -> tuple[Any, ...]:
    return job["status"], job["rows_imported"], job["rows_updated"], job["rows_failed"]


def instrument(workspace: Workspace, key: str) -> dict[str, Any]:
    return answered(workspace.robot.get(f"/instruments/{key}"), 200)


def test_a_row_changes_the_record_that_it_names_and_creates_the_one_that_is_not_there(
    workspace: Workspace, events: Events
) -> None:
    before = instrument(workspace, "bhp")
    job = upsert(
        workspace, "instruments", "identifier,name,type_id\nbhp,BHP Group,equity\nanz,ANZ,equity\n", "identifier"
    )
    assert counts(job) == ("completed", 1, 1, 0)
    after = instrument(workspace, "bhp")
    assert after == {**before, "name": "BHP Group", "updated_at": after["updated_at"]}
    [event] = events(event_type="instrument.updated")
    assert event["changes"] == {"name": {"from": "BHP", "to": "BHP Group"}}
    assert instrument(workspace, "anz")["name"] == "ANZ"


def test_an_empty_cell_clears_and_an_absent_column_leaves_alone(workspace: Workspace) -> None:
    upsert(workspace, "instruments", 'identifier,extras\nbhp,"{""a"": 1}"\n', "identifier")
    assert instrument(workspace, "bhp")["extras"] == {"a": 1}
    job = upsert(workspace, "instruments", "identifier,extras,field.sector\nbhp,,\n", "identifier")
    assert counts(job) == ("completed", 0, 1, 0)
    after = instrument(workspace, "bhp")
    assert (after["extras"], after["extra_fields_snapshot"], after["name"]) == (None, {"shares": "10"}, "BHP")


def test_field_values_of_json_are_merged_and_null_clears_one(workspace: Workspace) -> None:
    rows = [
        {"identifier": "bhp", "field_values": {"sector": None, "shares": 12}},
        {"identifier": "rio", "extras": None},
    ]
    assert counts(upsert(workspace, "instruments", json.dumps(rows), "identifier")) == ("completed", 0, 1, 0)
    assert instrument(workspace, "bhp")["extra_fields_snapshot"] == {"shares": "12"}
    assert instrument(workspace, "rio")["extra_fields_snapshot"] == {"sector": "Metals", "shares": "10"}


def test_a_row_that_changes_nothing_is_neither_counted_nor_told(workspace: Workspace, events: Events) -> None:
    content = workspace.export("instruments", format="csv").decode()
    before = workspace.export("instruments")
    assert counts(upsert(workspace, "instruments", content, "id")) == ("completed", 0, 0, 0)
    assert workspace.export("instruments") == before
    assert events(event_type="instrument.updated") == []


def test_the_later_of_two_rows_of_one_name_says_what_stays(workspace: Workspace) -> None:
    content = "identifier,name,type_id\nanz,First,equity\nbhp,Once,equity\nanz,Second,equity\nbhp,Twice,equity\n"
    assert counts(upsert(workspace, "instruments", content, "identifier")) == ("completed", 1, 3, 0)
    assert (instrument(workspace, "anz")["name"], instrument(workspace, "bhp")["name"]) == ("Second", "Twice")


def test_every_row_of_one_name_is_told_of_as_if_it_stood_alone(workspace: Workspace, events: Events) -> None:
    record = instrument(workspace, "bhp")["id"]
    rows: list[dict[str, Any]] = [
        {"name": "First", "extras": {"b": 1, "aa": 100}},
        {"field_values": {"shares": "10.0"}},
        {"field_values": {"shares": "many"}},
        {"extras": {"aa": 100, "b": 1}},
        {"name": "Last", "field_values": {"sector": None}},
        {"identifier": "rio"},
        {"identifier": "bhp2"},
        {"name": "BHP", "extras": None},
        {"archived_at": "2026-01-01"},
    ]
    job = upsert(workspace, "instruments", json.dumps([{"id": record, **row} for row in rows]), "id")
    assert counts(job) == ("completed", 0, 6, 2)
    assert [(error["row"], error["field"], error["code"]) for error in job["errors"]] == [
        (3, "field_values.shares", "invalid_number"),
        (6, "identifier", "conflict"),
    ]
    extras = {"b": 1, "aa": 100}
    first = {"sector": "Materials", "shares": "10"}
    told = [
        ("updated", {"name": ("BHP", "First"), "extras": (None, extras)}),
        ("updated", {"extra_fields_snapshot": (first, first | {"shares": "10.0"})}),
        (
            "updated",
            {"name": ("First", "Last"), "extra_fields_snapshot": (first | {"shares": "10.0"}, {"shares": "10.0"})},
        ),
        ("updated", {"identifier": ("bhp", "bhp2")}),
        ("updated", {"name": ("Last", "BHP"), "extras": (extras, None)}),
        ("archived", {"archived_at": (None, "2026-01-01T00:00:00Z")}),
    ]
    assert [
        (event["event_type"], {of: (change["from"], change["to"]) for of, change in event["changes"].items()})
        for event in events(resource_id=record)[1:]
    ] == [(f"instrument.{verb}", changes) for verb, changes in told]
    after = instrument(workspace, record)
    assert (after["name"], after["identifier"], after["extras"]) == ("BHP", "bhp2", None)
    assert after["extra_fields_snapshot"] == {"shares": "10.0"}


def test_records_are_found_by_a_custom_field_however_its_number_is_written(workspace: Workspace) -> None:
    answered(workspace.robot.patch("/instruments/rio", json={"field_values": {"shares": "7"}}), 200)
    job = upsert(workspace, "instruments", "field.shares,name\n10,Ten\n+7,Seven\n", "field.shares")
    assert counts(job) == ("completed", 0, 2, 0)
    assert (instrument(workspace, "bhp")["name"], instrument(workspace, "rio")["name"]) == ("Ten", "Seven")


def test_a_custom_field_that_several_records_have_names_none_of_them(workspace: Workspace) -> None:
    job = upsert(workspace, "instruments", "field.shares,name\n10,Both\n", "field.shares")
    assert counts(job) == ("completed", 0, 0, 1)
    [error] = job["errors"]
    assert (error["row"], error["field"], error["code"]) == (1, "field.shares", "ambiguous_key")


def test_a_row_without_its_key_is_refused(workspace: Workspace) -> None:
    job = upsert(workspace, "instruments", "identifier,name,type_id\n,Nameless,equity\n", "identifier")
    assert [(error["row"], error["field"], error["code"]) for error in job["errors"]] == [(1, "identifier", "required")]


def test_a_file_without_the_key_column_fails_before_its_first_row(workspace: Workspace) -> None:
    job = upsert(workspace, "instruments", "name,type_id\nX,equity\n", "identifier")
    assert job["status"] == "failed"
    assert "identifier" in job["error"]


@pytest.mark.parametrize("key", ["name", "field.unknown", "extras", ""])
def test_a_column_that_names_no_record_is_refused_at_once(workspace: Workspace, key: str) -> None:
    data = {"resource_type": "instruments", "identifier_column": key}
    answer = workspace.robot.post("/imports", files={"file": b"identifier\n"}, data=data)
    assert list(refused_fields(answer)) == ["identifier_column"]


def test_listings_and_values_are_found_by_their_natural_key(workspace: Workspace) -> None:
    workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange")
    for lot in ("1", "5"):
        job = upsert(workspace, "market_listings", f"instrument,market,lot_size\nbhp,xasx,{lot}\n", "key")
    assert counts(job) == ("completed", 0, 1, 0)
    for reason in ("first", "second"):
        content = f"instrument,market,suspended_from,reason\nbhp,xasx,2026-01-01,{reason}\n"
        job = upsert(workspace, "market_listing_suspensions", content, "key")
    assert counts(job) == ("completed", 0, 1, 0)
    content = "instrument,type_id,timestamp,value\n"
    assert counts(upsert(workspace, "time_series_values", content + "bhp,close,2026-01-01,1\n", "key"))[1:3] == (1, 0)
    more = content + "bhp,close,2026-01-01,1.0\nbhp,close,2026-01-02,2\n"
    assert counts(upsert(workspace, "time_series_values", more, "key")) == ("completed", 1, 1, 0)
    bars = [{"instrument": "bhp", "type_id": "bar", "timestamp": "2026-01-01"}]
    for close in ("1", "2"):
        items = [{"field_key": each, "value": close} for each in ("open", "high", "low", "close")]
        job = upsert(workspace, "composite_time_series_values", json.dumps([{**bars[0], "items": items}]), "key")
    assert counts(job) == ("completed", 0, 1, 0)


def test_tags_and_their_assignments_are_found_by_path_and_pair(workspace: Workspace) -> None:
    tags = [
        {"identifier": "au", "parent_id": "#equity", "path": "#equity.au"},
        {"identifier": "equity", "path": "#equity"},
    ]
    assert counts(upsert(workspace, "instrument_tags", json.dumps(tags), "path")) == ("completed", 2, 0, 0)
    named = [{"path": "equity.au", "identifier": "au", "name": "Australia"}]
    assert counts(upsert(workspace, "instrument_tags", json.dumps(named), "path")) == ("completed", 0, 1, 0)
    pair = "instrument,tag\nbhp,#equity.au\n"
    assert counts(upsert(workspace, "instrument_tag_assignments", pair, "key")) == ("completed", 1, 0, 0)
    assert counts(upsert(workspace, "instrument_tag_assignments", pair, "key")) == ("completed", 0, 0, 0)


def test_by_id_a_record_comes_back_as_it_was_recorded(workspace: Workspace, events: Events) -> None:
    workspace.create("instruments", identifier="old", name="Old", type_id="equity")
    workspace.robot.delete("/instruments/old")
    backup = workspace.export("instruments", format="json")
    answered(workspace.robot.post("/instruments/old/restore"), 200)
    workspace.robot.delete("/instruments/rio")
    answered(workspace.robot.patch("/instruments/bhp", json={"name": "Wrong", "field_values": {"sector": None}}), 200)
    job = upsert(workspace, "instruments", backup.decode(), "id", on_error="abort")
    assert counts(job) == ("completed", 0, 3, 0)
    assert instrument(workspace, "bhp")["name"] == "BHP"
    assert instrument(workspace, "rio")["archived_at"] is None
    assert instrument(workspace, "old")["archived_at"] is not None
    told = [event["event_type"] for event in events(resource_type="instrument")][-3:]
    assert sorted(told) == ["instrument.archived", "instrument.restored", "instrument.updated"]


def test_a_row_about_an_archived_record_changes_no_active_one_of_its_name(workspace: Workspace) -> None:
    workspace.robot.delete("/instruments/bhp")
    backup = workspace.export(
        "instruments", format="json", filter={"field": "archived_at", "op": "is_null", "value": False}
    )
    workspace.create("instruments", identifier="bhp", name="New", type_id="equity")
    job = upsert(workspace, "instruments", backup.decode(), "identifier")
    assert [error["code"] for error in job["errors"]] == ["conflict"]
    assert instrument(workspace, "bhp")["name"] == "New"


@pytest.mark.parametrize(("resource_type", "key"), [("instruments", "identifier"), ("market_listings", "key")])
def test_an_archived_record_that_is_there_already_says_how_it_is_changed(
    workspace: Workspace, resource_type: str, key: str
) -> None:
    workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange")
    listing = workspace.create("market-listings", instrument_id="rio", market_id="xasx")
    workspace.robot.delete("/instruments/bhp" if key == "identifier" else f"/market-listings/{listing['id']}")
    backup = workspace.export(resource_type, format="json").decode()
    [error] = upsert(workspace, resource_type, backup, key)["errors"]
    assert (error["field"], error["code"]) == ("id", "conflict")
    assert "exists already" in error["message"] and "identifier_column=id" in error["message"]
    assert counts(upsert(workspace, resource_type, backup, "id")) == ("completed", 0, 0, 0)


def test_an_archived_record_named_by_id_is_left_alone_unless_the_file_says_when_it_was_archived(
    workspace: Workspace,
) -> None:
    record = instrument(workspace, "bhp")["id"]
    workspace.robot.delete("/instruments/bhp")
    job = upsert(workspace, "instruments", f"id,name\n{record},X\n", "id")
    assert [error["code"] for error in job["errors"]] == ["archived"]


def test_what_never_changes_is_refused_by_name(workspace: Workspace) -> None:
    content = {"instrument_id": "bhp", "type_id": "close", "timestamp": "2026-01-01", "value": "1"}
    value = workspace.create("time-series-values", **content)
    job = upsert(workspace, "time_series_values", f"id,timestamp\n{value['id']},2026-01-02\n", "id")
    assert [(error["field"], error["code"]) for error in job["errors"]] == [("timestamp", "immutable")]


def test_a_change_that_takes_the_name_of_another_is_a_conflict_of_its_row_alone(workspace: Workspace) -> None:
    bhp, rio = (instrument(workspace, key)["id"] for key in ("bhp", "rio"))
    job = upsert(workspace, "instruments", f"id,identifier,name\n{bhp},rio,X\n{rio},rio,Y\n", "id")
    assert counts(job) == ("completed", 0, 1, 1)
    assert [(error["row"], error["code"]) for error in job["errors"]] == [(1, "conflict")]
    assert instrument(workspace, "rio")["name"] == "Y"


def test_a_bad_row_undoes_the_changes_of_an_import_that_aborts(workspace: Workspace) -> None:
    content = "identifier,name,type_id\nbhp,Changed,equity\nnew,New,unknown\n"
    job = upsert(workspace, "instruments", content, "identifier", on_error="abort")
    assert counts(job) == ("failed", 0, 0, 1)
    assert instrument(workspace, "bhp")["name"] == "BHP"


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_a_dry_run_counts_what_would_be_and_changes_nothing(
    workspace: Workspace, events: Events, on_error: str
) -> None:
    before = workspace.export("instruments")
    told = len(events(resource_type="instrument"))
    content = "identifier,name,type_id\nbhp,Changed,equity\nnew,New,equity\nbad,Bad,unknown\n"
    job = upsert(workspace, "instruments", content, "identifier", on_error=on_error, dry_run="true")
    assert counts(job) == ("completed", *((1, 1) if on_error == "continue" else (0, 0)), 1)
    assert (job["row_count"], job["dry_run"]) == (3, True)
    assert [(error["row"], error["code"]) for error in job["errors"]] == [(3, "unknown_reference")]
    assert workspace.export("instruments") == before
    assert len(events(resource_type="instrument")) == told
    [event] = events(event_type="import.completed")
    assert event["changes"]["dry_run"] == {"from": None, "to": True}


def test_a_dry_run_of_values_leaves_none(workspace: Workspace) -> None:
    content = b"instrument,type_id,timestamp,value\nbhp,close,2026-01-01,1\nbhp,close,2026-01-01,2\n"
    data = {"resource_type": "time_series_values", "on_error": "continue", "dry_run": "true"}
    answer = workspace.robot.post("/imports", files={"file": content}, data=data)
    job = workspace.finished("imports", answered(answer, 202))
    assert counts(job) == ("completed", 1, 0, 1)
    assert answered(workspace.robot.post("/time-series-values/count", json={}), 200) == {"count": 0}


def test_imports_that_create_the_same_records_at_once_change_them_instead(workspace: Workspace) -> None:
    def ask(number: int) -> dict[str, Any]:
        rows = "".join(f"n{row},Name {number},equity\n" for row in range(300))
        data = {"resource_type": "instruments", "identifier_column": "identifier", "on_error": "continue"}
        files = {"file": f"identifier,name,type_id\n{rows}".encode()}
        return answered(workspace.robot.post("/imports", files=files, data=data), 202)

    jobs = [workspace.finished("imports", job) for job in [ask(number) for number in range(4)]]
    assert {(job["status"], job["rows_failed"]) for job in jobs} == {("completed", 0)}
    assert sum(job["rows_imported"] for job in jobs) == 300
    assert sum(job["rows_updated"] for job in jobs) == 900
