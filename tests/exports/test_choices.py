"""What an export may be asked for: which records, and in Parquet how numbers are held."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.product import Workspace, answered, refused_fields


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.equity()
    for identifier, sector, shares in (("bhp", "Materials", "10.50"), ("anz", "Financials", "7"), ("old", None, None)):
        values = {"sector": sector, "shares": shares}
        workspace.create("instruments", identifier=identifier, name="X", type_id="equity", field_values=values)
    workspace.create("instrument-tags", identifier="bank")
    workspace.create("instrument-tag-assignments", instrument_id="anz", tag_id="bank")
    workspace.robot.delete("/instruments/old")
    return workspace


def table(workspace: Workspace, resource_type: str, **more: Any) -> pa.Table:
    return pq.read_table(io.BytesIO(workspace.export(resource_type, format="parquet", **more)))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"field": "field.shares", "op": "gt", "value": "7"}, ["bhp"]),
        ({"field": "field.sector", "op": "like", "value": "FIN"}, ["anz"]),
        ({"field": "tags", "op": "tagged", "value": "bank"}, ["anz"]),
        ({"field": "archived_at", "op": "is_null", "value": False}, ["old"]),
    ],
)
def test_a_filter_picks_the_records(workspace: Workspace, condition: dict[str, Any], found: list[str]) -> None:
    rows = table(workspace, "instruments", filter=condition, include_archived=False)
    assert rows["identifier"].to_pylist() == found


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"field": "field.nope", "op": "eq", "value": "1"}, "filter.field"),
        ({"field": "identifier", "op": "near", "value": "1"}, "filter.op"),
        ({"and": [{"field": "field.shares", "op": "gt", "value": "many"}]}, "filter.and.0.value"),
    ],
)
def test_a_bad_filter_is_refused_when_it_is_asked_for(workspace: Workspace, condition: Any, field: str) -> None:
    asked = {"resource_type": "instruments", "filter": condition}
    assert list(refused_fields(workspace.robot.post("/exports", json=asked))) == [field]


def test_a_filter_that_names_nothing_is_answered_with_a_warning(workspace: Workspace) -> None:
    asked = {"resource_type": "instruments", "filter": {"field": "type_id", "op": "eq", "value": "bond"}}
    assert "bond" in answered(workspace.robot.post("/exports", json=asked), 202)["warnings"][0]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"format": "parquet", "compression": "gzip"}, "compression"),
        ({"format": "csv", "numbers": "decimal"}, "numbers"),
        ({"format": "parquet", "numbers": "complex"}, "numbers"),
        ({"format": "xlsx"}, "format"),
    ],
)
def test_a_choice_that_the_format_lacks_is_refused(workspace: Workspace, asked: dict[str, str], field: str) -> None:
    response = workspace.robot.post("/exports", json={"resource_type": "instruments", **asked})
    assert list(refused_fields(response)) == [field]


def test_parquet_holds_numbers_as_text_as_decimals_or_as_floats(workspace: Workspace) -> None:
    for day, value in ((1, "45.820"), (2, "-1.5"), (3, "1E+3")):
        body = {"instrument_id": "bhp", "type_id": "close", "timestamp": f"2026-01-0{day}", "value": value}
        workspace.create("time-series-values", **body)
    assert table(workspace, "time_series_values")["value"].to_pylist() == ["45.820", "-1.5", "1000"]
    decimals = table(workspace, "time_series_values", numbers="decimal")["value"]
    assert decimals.type == pa.decimal128(38, 3)
    assert decimals.to_pylist() == [Decimal("45.820"), Decimal("-1.500"), Decimal("1000.000")]
    assert table(workspace, "time_series_values", numbers="float64")["value"].to_pylist() == [45.82, -1.5, 1000.0]
    shares = table(workspace, "instruments", numbers="decimal")["field.shares"]
    assert (shares.type, shares.to_pylist()) == (pa.decimal128(38, 2), [Decimal("10.50"), Decimal("7.00"), None])


def test_numbers_that_no_decimal_holds_stay_text(workspace: Workspace) -> None:
    long = "1" * 30 + "." + "1" * 30
    body = {"instrument_id": "bhp", "type_id": "close", "timestamp": "2026-01-01", "value": long}
    workspace.create("time-series-values", **body)
    assert table(workspace, "time_series_values", numbers="decimal")["value"].to_pylist() == [long]


def test_parquet_has_the_types_of_dates_instants_and_booleans(workspace: Workspace) -> None:
    workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange")
    workspace.create("market-listings", instrument_id="bhp", market_id="xasx", listed_on="1885-08-13")
    schema = table(workspace, "market_listings").schema
    assert schema.field("listed_on").type == pa.date32()
    assert schema.field("created_at").type == pa.timestamp("us", "UTC")
    assert schema.field("lot_size").type == pa.string()
