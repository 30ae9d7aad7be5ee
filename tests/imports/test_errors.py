"""Exactly the guilty rows are named, and every one of them can be downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.works import as_json, as_ndjson, as_parquet
from tests.product import Workspace, answered


def instruments(count: int, bad: dict[int, str]) -> bytes:
    rows = (bad.get(n, f"i{n},Name,equity") for n in range(1, count + 1))
    return ("identifier,name,type_id\n" + "\n".join(rows) + "\n").encode()


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_two_rows_that_break_a_unique_rule_do_not_make_ten_thousand_guilty(workspace: Workspace, on_error: str) -> None:
    workspace.equity()
    bad = {17: "i3,Name,equity", 9_999: "i9000,Name,equity"}
    job = workspace.import_file("instruments", instruments(10_000, bad), on_error)
    assert [(e["row"], e["line"], e["field"], e["code"]) for e in job["errors"]] == [
        (17, 18, "identifier", "conflict"),
        (9_999, 10_000, "identifier", "conflict"),
    ]
    assert (job["rows_failed"], job["rows_imported"]) == (2, 9_998 if on_error == "continue" else 0)


def test_a_row_that_stays_out_leaves_its_id_to_the_next_one(
    workspace: Workspace, events: Callable[..., list[dict[str, Any]]]
) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="taken", name="T", type_id="equity")
    key = "01900000-0000-7000-8000-000000000001"
    rows = [{"id": key, "identifier": name, "name": "N", "type_id": "equity"} for name in ("taken", "free", "late")]
    job = workspace.import_file("instruments", json.dumps(rows).encode(), "continue")
    assert [(e["row"], e["field"], e["code"]) for e in job["errors"]] == [
        (1, "identifier", "conflict"),
        (3, "id", "conflict"),
    ]
    assert answered(workspace.robot.get(f"/instruments/{key}"), 200)["identifier"] == "free"
    assert [each["resource_identifier"] for each in events(event_type="instrument.created")] == ["taken", "free"]


FORMS = pytest.mark.parametrize(
    "form", [bytes, as_json, as_ndjson, as_parquet], ids=["csv", "json", "ndjson", "parquet"]
)
ON_ERROR = pytest.mark.parametrize("on_error", ["abort", "continue"])


def values(count: int, bad: dict[int, str]) -> bytes:
    start = datetime(2000, 1, 1, tzinfo=UTC)
    rows = (bad.get(n, f"i,close,{(start + timedelta(days=n)):%Y-%m-%d},{n}.50") for n in range(1, count + 1))
    return ("instrument,type_id,timestamp,value\n" + "\n".join(rows) + "\n").encode()


@FORMS
@ON_ERROR
def test_two_bad_values_of_ten_thousand_are_two_errors(
    workspace: Workspace, form: Callable[[bytes], bytes], on_error: str
) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="i", name="I", type_id="equity")
    bad = {17: "i,close,2000-01-04,1", 9_999: "i,close,2030-01-01,many"}
    job = workspace.import_file("time_series_values", form(values(10_000, bad)), on_error)
    assert [(e["row"], e["line"], e["field"], e["code"]) for e in job["errors"]] == [
        (17, line(form, 17), "timestamp", "conflict"),
        (9_999, line(form, 9_999), "value", "invalid_number"),
    ]
    assert (job["rows_failed"], job["rows_imported"]) == (2, 9_998 if on_error == "continue" else 0)
    assert job["status"] == ("completed" if on_error == "continue" else "failed")


@FORMS
@ON_ERROR
def test_ten_bad_instruments_of_a_thousand_are_ten_errors_in_every_format(
    workspace: Workspace, form: Callable[[bytes], bytes], on_error: str
) -> None:
    workspace.equity()
    bad = {n: f"i{n},,equity" if n % 200 else f"i{n},Name,bond" for n in range(100, 1_001, 100)}
    job = workspace.import_file("instruments", form(instruments(1_000, bad)), on_error)
    named = [("name", "required") if n % 200 else ("type_id", "unknown_reference") for n in bad]
    assert [(e["row"], e["line"], e["field"], e["code"]) for e in job["errors"]] == [
        (row, line(form, row), *each) for row, each in zip(bad, named, strict=True)
    ]
    assert (job["rows_failed"], job["rows_imported"]) == (10, 990 if on_error == "continue" else 0)


def line(form: Callable[[bytes], bytes], row: int) -> int | None:
    """Where a row stands in its file: text has lines, and CSV a header."""
    return {bytes: row + 1, as_ndjson: row}.get(form)


def test_ten_bad_rows_of_a_thousand_are_ten_errors_with_row_field_and_code(workspace: Workspace) -> None:
    workspace.equity()
    bad = {n: f"i{n},,equity" if n % 200 else f"i{n},Name,bond" for n in range(100, 1_001, 100)}
    job = workspace.import_file("instruments", instruments(1_000, bad), "continue")
    named = [("name", "required") if n % 200 else ("type_id", "unknown_reference") for n in bad]
    assert [(e["row"], e["field"], e["code"]) for e in job["errors"]] == [
        (row, *each) for row, each in zip(bad, named, strict=True)
    ]
    summary: list[dict[str, Any]] = job["error_summary"]
    assert {(e["code"], e["field"], e["count"], e["first_rows"][0]) for e in summary} == {
        ("required", "name", 5, 100),
        ("unknown_reference", "type_id", 5, 200),
    }
    assert all(e.keys() == {"code", "field", "count", "first_rows"} for e in summary)


def test_every_one_of_a_hundred_thousand_bad_rows_can_be_downloaded(workspace: Workspace) -> None:
    workspace.equity()
    content = "instrument,type_id,timestamp,value\n" + "x,close,2026-01-01,bad\n" * 100_000
    job = workspace.import_file("time_series_values", content.encode(), "continue")
    assert (job["status"], job["rows_failed"], len(job["errors"])) == ("completed", 100_000, 100)
    answer = workspace.robot.get(f"/imports/{job['id']}/errors", headers={"accept": "text/csv"})
    lines = answer.text.splitlines()
    assert lines[0] == "row,line,field,code,message"
    assert len(lines) == 1 + sum(entry["count"] for entry in job["error_summary"]) == 200_001
    assert {int(line.partition(",")[0]) for line in lines[1:]} == set(range(1, 100_001))


@pytest.mark.parametrize("resource_type", ["instruments", "time_series_values"])
def test_a_job_stays_small_whatever_the_keys_of_a_bad_file(workspace: Workspace, resource_type: str) -> None:
    workspace.equity()
    rows = [{"k" * 1_000_000: 1} | {f"{letter}{number}": 1 for number in range(1_000)} for letter in "abc"]
    job = workspace.import_file(resource_type, json.dumps(rows).encode(), "continue")
    assert (job["status"], job["rows_failed"], len(job["errors"])) == ("completed", 3, 100)
    unknown = [entry for entry in job["error_summary"] if entry["code"] == "unknown_field"]
    assert sum(entry["count"] for entry in unknown) == 300
    assert {"code": "unknown_field", "field": "a0", "count": 1, "first_rows": [1]} in unknown
    assert len(job["error_summary"]) < 110
    assert len(workspace.robot.get(f"/imports/{job['id']}").content) < 100_000
    errors = workspace.robot.get(f"/imports/{job['id']}/errors", headers={"accept": "text/csv"})
    assert errors.text.count("more errors in this row") == 3
    assert len(errors.content) < 100_000


@pytest.mark.parametrize("file_format", ["csv", "json", "ndjson", "parquet"])
def test_a_backup_without_its_schema_is_told_in_one_message_before_row_1(
    workspace: Workspace, new_workspace: Callable[[], Workspace], file_format: str
) -> None:
    workspace.equity()
    workspace.create(
        "instruments", identifier="i", name="I", type_id="equity", field_values={"sector": "x", "shares": "1"}
    )
    workspace.create("time-series-values", instrument_id="i", type_id="close", timestamp="2026-01-01", value="1")
    other = new_workspace()
    job = other.import_file("instruments", workspace.export("instruments", format=file_format), "continue")
    assert (job["status"], job["rows_processed"], job["errors"]) == ("failed", 0, [])
    assert job["error"] == "create these first, then import again: instrument type equity"
    other.create("instrument-types", identifier="equity")
    job = other.import_file("instruments", workspace.export("instruments", format=file_format), "continue")
    assert "field sector of equity, field shares of equity" in job["error"]
    job = other.import_file("time_series_values", workspace.export("time_series_values", format=file_format))
    assert job["error"] == "create these first, then import again: series close"


@FORMS
@pytest.mark.parametrize("resource_type", ["instruments", "time_series_values"])
def test_a_file_whose_first_row_has_no_id_is_no_backup_and_its_rows_are_told_one_by_one(
    workspace: Workspace, resource_type: str, form: Callable[[bytes], bytes]
) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="i", name="I", type_id="equity")
    key = "01900000-0000-7000-8000-000000000001"
    rows = (
        f"id,identifier,name,type_id\n,a,A,equity\n{key},b,B,fund\n,c,C,equity\n"
        if resource_type == "instruments"
        else f"id,instrument,type_id,timestamp,value\n,i,close,2026-01-01,1\n{key},i,open,2026-01-01,1\n"
        ",i,close,2026-01-02,1\n"
    )
    job = workspace.import_file(resource_type, form(rows.encode()), "continue")
    assert (job["status"], job["rows_imported"]) == ("completed", 2)
    assert [(e["row"], e["field"], e["code"]) for e in job["errors"]] == [(2, "type_id", "unknown_reference")]


@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_an_empty_cell_is_null_also_where_the_field_must_be_there(workspace: Workspace, on_error: str) -> None:
    workspace.create("instrument-types", identifier="fund")
    workspace.create("instrument-types", identifier="bond")
    for key, allow_null in (("lot", True), ("isin", False)):
        asked = {"field_key": key, "data_type": "text", "is_required": True, "allow_null": allow_null}
        workspace.create("instrument-type-fields", type_id="fund", **asked)
    rows = b"identifier,name,type_id,field.lot,field.isin\na,A,fund,,x\nb,B,bond,,\n"
    assert workspace.import_file("instruments", rows, on_error)["rows_imported"] == 2
    shown = {each: answered(workspace.robot.get(f"/instruments/{each}"), 200) for each in "ab"}
    assert shown["a"]["extra_fields_snapshot"] == {"lot": None, "isin": "x"}
    assert shown["b"]["extra_fields_snapshot"] == {}
    for lacking, field in ((b"c,C,fund,1,\n", "isin"), (b"c,C,fund,,\n", "isin")):
        header = rows.partition(b"\n")[0] + b"\n"
        [error] = workspace.import_file("instruments", header + lacking, "continue")["errors"]
        assert (error["field"], error["code"]) == (f"field_values.{field}", "required")
    [error] = workspace.import_file("instruments", b"identifier,name,type_id,field.isin\nd,D,fund,x\n", "continue")[
        "errors"
    ]
    assert (error["field"], error["code"]) == ("field_values.lot", "required")


def test_the_same_file_twice_at_once_gets_a_warning(workspace: Workspace) -> None:
    workspace.equity()
    content = instruments(6_000, {})
    data = {"resource_type": "instruments", "on_error": "continue"}
    first, second = (
        answered(workspace.robot.post("/imports", files={"file": content}, data=data), 202) for _ in range(2)
    )
    assert "warnings" not in first
    assert first["id"] in second["warnings"][0]
    ended = [workspace.finished("imports", job) for job in (first, second)]
    assert sum(job["rows_imported"] for job in ended) == 6_000
