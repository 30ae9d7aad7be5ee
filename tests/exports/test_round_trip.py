"""What is exported comes back by import as it was."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest

from ptolemy.catalogue import EXPORTED
from tests.product import Workspace, answered


def fill(workspace: Workspace) -> None:
    """Records of all types, awkward ones among them: archived parents, formulas, unicode, odd numbers."""
    workspace.equity()
    workspace.create(
        "markets", identifier="xasx", name="ASX", type_id="exchange", timezone="Australia/Sydney", mic="XASX"
    )
    workspace.create(
        "markets", identifier="closed", name="=CLOSED()", type_id="exchange", extras={"b": [1.10], "a": None}
    )
    workspace.create("market-calendars", market_id="closed", date="2026-12-25", is_open=False, name="=Christmas 聖誕節")
    workspace.robot.post("/markets/xasx/calendar/generate", json={"from": "2026-12-21", "to": "2026-12-31"})
    for identifier, name, values in (
        ("bhp.ax", 'BHP Group, "Limited"', {"sector": "-Materials", "shares": "5072000000.000"}),
        ("日本", "'quoted\nlines", {"shares": "-0.5"}),
        ("gone", "", {"sector": ""}),
    ):
        workspace.create("instruments", identifier=identifier, name=name, type_id="equity", field_values=values)
    workspace.create("instrument-tags", identifier="au", name="=Australia")
    workspace.create("instrument-tags", identifier="日本", parent_id="au")
    workspace.create("instrument-tags", identifier="equity")
    # Now a parent is younger than its child, and comes after it in a file.
    answered(workspace.robot.patch("/instrument-tags/au", json={"parent_id": "equity"}), 200)
    workspace.create("instrument-tags", identifier="old")
    for tag in ("equity.au.日本", "old"):
        workspace.create("instrument-tag-assignments", instrument_id="bhp.ax", tag_id=tag)
    workspace.robot.delete("/instrument-tags/old")
    for instrument in ("bhp.ax", "gone"):
        listing = workspace.create(
            "market-listings", instrument_id=instrument, market_id="xasx", status_id="active", lot_size="1.00"
        )
        workspace.create(
            "market-listing-suspensions",
            listing_id=listing["id"],
            suspended_from="2026-01-01",
            suspended_until="2026-01-02T03:04:05.678901+10:00",
            reason="@halt",
        )
        for day, number in ((1, "45.820"), (2, "-0.000"), (3, "1" + "0" * 60 + "." + "0" * 30 + "1")):
            value = workspace.create(
                "time-series-values",
                instrument_id=instrument,
                type_id="close",
                timestamp=f"2026-01-0{day}T00:00:00.12Z",
                value=number,
            )
        workspace.robot.delete(f"/time-series-values/{value['id']}")
        items = [{"field_key": key, "value": "1.0"} for key in ("open", "high", "low", "close")]
        workspace.create(
            "composite-time-series-values", instrument_id=instrument, type_id="bar", timestamp="2026-01-01", items=items
        )
    workspace.robot.delete(f"/market-listings/{listing['id']}")
    workspace.robot.delete("/instruments/gone")
    workspace.robot.delete("/markets/closed")


FORMATS = ["json", "csv", "ndjson", "parquet"]


def contents(workspace: Workspace, file_format: str) -> dict[str, Any]:
    """The files of all types, to be compared: their bytes, or the rows of Parquet, whose bytes may differ."""
    files = {each: workspace.export(each, format=file_format) for each in EXPORTED}
    return {each: pq.read_table(io.BytesIO(file)) if file_format == "parquet" else file for each, file in files.items()}


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("on_error", ["abort", "continue"])
def test_the_files_of_a_restored_workspace_equal_those_of_the_first(
    file_format: str, on_error: str, workspace: Workspace, new_workspace: Callable[[], Workspace]
) -> None:
    fill(workspace)
    files = {each: workspace.export(each, format=file_format) for each in EXPORTED}
    other = new_workspace()
    other.equity()
    for each, content in files.items():
        job = other.import_file(each, content, on_error)
        assert (job["status"], job["rows_failed"], job["errors"]) == ("completed", 0, []), job
        assert job["rows_imported"] > 0
    assert contents(other, file_format) == contents(workspace, file_format)


@pytest.mark.parametrize("file_format", FORMATS)
def test_importing_again_imports_nothing_and_changes_nothing(file_format: str, workspace: Workspace) -> None:
    fill(workspace)
    files = {each: workspace.export(each, format=file_format) for each in EXPORTED}
    before = workspace.export("instruments", format="json")
    for each, content in files.items():
        job = workspace.import_file(each, content, "continue")
        assert job["rows_imported"] == 0
        assert job["rows_failed"] == job["row_count"] > 0
        assert {error["code"] for error in job["errors"]} == {"conflict"}, job["errors"]
    assert workspace.export("instruments", format="json") == before


def test_an_empty_workspace_exports_empty_files(workspace: Workspace) -> None:
    for each in EXPORTED:
        assert workspace.export(each) == b"[\n]\n"
        assert workspace.export(each, format="csv").count(b"\n") == 1
        assert workspace.export(each, format="ndjson") == b"\n"
        assert pq.read_table(io.BytesIO(workspace.export(each, format="parquet"))).num_rows == 0


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_file_of_an_empty_workspace_is_imported_as_nothing(file_format: str, workspace: Workspace) -> None:
    for each in EXPORTED:
        job = workspace.import_file(each, workspace.export(each, format=file_format))
        assert (job["status"], job["row_count"], job["rows_imported"]) == ("completed", 0, 0), job


def test_a_gzipped_export_comes_back(workspace: Workspace, new_workspace: Callable[[], Workspace]) -> None:
    fill(workspace)
    other = new_workspace()
    other.equity()
    job: dict[str, Any] = other.import_file("instruments", workspace.export("instruments", compression="gzip"))
    assert job["status"] == "completed"
    assert answered(other.robot.post("/instruments/count", json={"archived": "all"}), 200) == {"count": 3}


@pytest.mark.parametrize("notes", [(None, None), (None, "x")], ids=["all", "one of two"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_nulls_in_the_custom_fields_of_values_come_back(
    file_format: str, notes: Sequence[str | None], workspace: Workspace, new_workspace: Callable[[], Workspace]
) -> None:
    other = new_workspace()
    for one in (workspace, other):
        one.equity()
        asked = {"field_key": "note", "data_type": "text", "is_required": True, "allow_null": True}
        one.create("time-series-type-fields", type_id="close", **asked)
    workspace.create("instruments", identifier="i", name="I", type_id="equity")
    for day, note in enumerate(notes, 1):
        new = {"timestamp": f"2026-01-0{day}", "value": "1", "field_values": {"note": note}}
        workspace.create("time-series-values", instrument_id="i", type_id="close", **new)
    for each, rows in (("instruments", 1), ("time_series_values", 2)):
        content = workspace.export(each, format=file_format)
        assert other.import_file(each, content)["rows_imported"] == rows
    assert other.export("time_series_values", format="json") == workspace.export("time_series_values", format="json")


@pytest.mark.parametrize(("file_format", "comes_back"), [("csv", {"lot": None}), ("json", {})])
def test_only_json_tells_a_null_from_a_value_that_is_older_than_its_field(
    file_format: str, comes_back: dict[str, Any], workspace: Workspace
) -> None:
    workspace.create("instrument-types", identifier="fund")
    workspace.create("instruments", identifier="a", name="", type_id="fund")
    workspace.create(
        "instrument-type-fields", type_id="fund", field_key="lot", data_type="number", has_default=True, default_value=1
    )
    content = workspace.export("instruments", format=file_format)
    assert workspace.admin.delete("/instruments/a?hard=true").status_code == 204
    assert workspace.import_file("instruments", content)["rows_imported"] == 1
    assert answered(workspace.robot.get("/instruments/a"), 200)["extra_fields_snapshot"] == comes_back
