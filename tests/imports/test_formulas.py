"""Identifiers that a spreadsheet would run are guarded in CSV, and mean the same when they come back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.product import Workspace, answered

ODD = ("=SUM(A1)", "@a", "-x", "+1", "'", "''=b", "plain")


def schema(workspace: Workspace) -> None:
    for identifier in ODD:
        workspace.create("instrument-types", identifier=identifier)
        workspace.create("series", identifier=identifier, kind="scalar")


@pytest.mark.parametrize("file_format", ["csv", "json", "ndjson", "parquet"])
def test_formulas_as_identifiers_come_back(
    file_format: str, workspace: Workspace, new_workspace: Callable[[], Workspace]
) -> None:
    other = new_workspace()
    for each in (workspace, other):
        schema(each)
    for identifier in ODD:
        workspace.create("instruments", identifier=identifier, name=identifier, type_id=identifier)
        workspace.create(
            "time-series-values", instrument_id=identifier, type_id=identifier, timestamp="2026-01-01", value="-1.0"
        )
    files = {table: workspace.export(table, format=file_format) for table in ("instruments", "time_series_values")}
    for table, content in files.items():
        job = other.import_file(table, content)
        assert (job["status"], job["rows_imported"]) == ("completed", len(ODD)), job
    for table in files:
        assert other.export(table) == workspace.export(table)


def test_no_cell_of_an_exported_csv_is_run_by_a_spreadsheet(workspace: Workspace) -> None:
    schema(workspace)
    workspace.create("instruments", identifier="=a", name="\t=1+1", type_id="=SUM(A1)")
    workspace.create("time-series-values", instrument_id="=a", type_id="@a", timestamp="2026-01-01", value="-1.0")
    for table in ("instruments", "time_series_values"):
        [row] = workspace.export(table, format="csv").decode().splitlines()[1:]
        cells = [cell for cell in row.split(",") if cell]
        # A number is never escaped, nor can it do any harm.
        assert [cell for cell in cells if cell[0] in "=+-@\t\r"] == (["-1.0"] if "values" in table else []), row


def test_values_by_identifier_alone_find_formulas(workspace: Workspace) -> None:
    """As a user's own file has them: guarded, or as they are."""
    schema(workspace)
    workspace.create("instruments", identifier="=SUM(A1)", name="S", type_id="plain")
    rows = [b"'=SUM(A1),'@a,2026-01-01,1", b"=SUM(A1),@a,2026-01-02,2"]
    job = workspace.import_file("time_series_values", b"\n".join([b"instrument,type_id,timestamp,value", *rows, b""]))
    assert (job["status"], job["rows_imported"]) == ("completed", 2), job
    assert len(answered(workspace.robot.get("/time-series-values?type_id=@a"), 200)["data"]) == 2
