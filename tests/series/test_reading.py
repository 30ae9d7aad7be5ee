"""One series as a whole: JSON columns, CSV, or an Arrow stream, oldest first."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptolemy.api.accepted import ARROW, CSV, JSON, preferred
from ptolemy.formats.csv import unguard
from tests import house
from tests.product import Workspace, answered, problem, refused_fields
from tests.series.desk import COMPOSITE, KEYS, SCALAR, bar, close, equip, written

TEXTS = ["=1+1", 'a,"b"\nc', "", "é\t\u2028", None, "'", "\\N", "null"]


def ask(desk: Workspace, accept: str = "application/json", **asked: str) -> httpx.Response:
    params = {"instrument_id": "bhp.ax", "type_id": "close", **asked}
    return desk.robot.get(f"/{SCALAR}/series", params=params, headers={"Accept": accept})


def columns(desk: Workspace, **asked: str) -> dict[str, list[str | None]]:
    answer = answered(ask(desk, **asked), 200)
    data: dict[str, list[str | None]] = answer["data"]
    assert {len(column) for column in data.values()} == {answer["meta"]["count"]}
    return data


def table(desk: Workspace, **asked: str) -> pa.Table:
    answer = ask(desk, ARROW, **asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ARROW
    found = pa.ipc.open_stream(answer.content).read_all()
    found.validate(full=True)
    return found


def rows(desk: Workspace, **asked: str) -> list[list[str]]:
    answer = ask(desk, "text/csv", **asked)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_a_scalar_series_is_answered_as_columns_oldest_first(desk: Workspace) -> None:
    times = ["2026-01-02", "2026-01-01T10:00:00.250+10:00", "2025-12-31"]
    written(desk, SCALAR, *[close(each, f"{n}.50") for n, each in enumerate(times)])
    written(desk, SCALAR, close("2026-01-01", 9, instrument="rio.ax"), close("2026-01-01", 9, series="noted"))
    answer = answered(ask(desk), 200)
    assert answer["data"] == {
        "timestamp": ["2025-12-31T00:00:00Z", "2026-01-01T00:00:00.25Z", "2026-01-02T00:00:00Z"],
        "value": ["2.50", "1.50", "0.50"],
    }
    series = answered(desk.robot.get("/series/close"), 200)
    instrument = answered(desk.robot.get("/instruments/bhp.ax"), 200)
    assert answer["meta"] == {
        "instrument_id": instrument["id"],
        "type_id": series["id"],
        "kind": "scalar",
        "unit": None,
        "count": 3,
    }


def test_a_composite_series_has_a_column_an_item_in_display_order(desk: Workspace) -> None:
    desk.create("time-series-type-fields", type_id="bar", field_key="vwap", data_type="number", display_order=-1)
    written(desk, COMPOSITE, bar("2026-01-02", open="-1.50"), bar("2026-01-01", vwap="2"))
    data = columns(desk, type_id="bar")
    assert list(data) == ["timestamp", "item.vwap", *(f"item.{key}" for key in KEYS)]
    assert (data["item.vwap"], data["item.open"]) == (["2", None], ["1", "-1.50"])
    assert rows(desk, type_id="bar")[0] == list(data)
    assert table(desk, type_id="bar").column_names == list(data)


def test_from_is_inclusive_and_to_is_exclusive(desk: Workspace) -> None:
    written(desk, SCALAR, *[close(f"2026-01-0{n}", n) for n in range(1, 6)])
    assert columns(desk, **{"from": "2026-01-02", "to": "2026-01-04"})["value"] == ["2", "3"]
    assert columns(desk, to="2026-01-02")["value"] == ["1"]
    assert columns(desk, **{"from": "2026-01-05T00:00:00.000001Z"})["value"] == []
    assert columns(desk, **{"from": "2026-01-02", "to": "2026-01-02"})["value"] == []
    assert refused_fields(ask(desk, **{"from": "2026-01-02", "to": "2026-01-01"})) == {"to": "before_from"}


def test_archived_values_are_left_out_and_an_archived_instrument_is_read(desk: Workspace) -> None:
    gone = desk.create(SCALAR, **close("2026-01-01", 1))["id"]
    written(desk, SCALAR, close("2026-01-02", 2))
    answered(desk.robot.delete(f"/{SCALAR}/{gone}"), 204)
    answered(desk.robot.delete("/instruments/bhp.ax"), 204)
    assert columns(desk)["value"] == ["2"]


def note(desk: Workspace) -> None:
    """A series with fields of every kind, some of them null."""
    fields: list[dict[str, Any]] = [{"note": text, "w": n, "final": n % 2 == 0} for n, text in enumerate(TEXTS)]
    fields[0]["day"] = "2026-01-31"
    written(
        desk,
        SCALAR,
        *[close(f"2026-01-{n + 1:02}", f"{n}.{n}", series="noted", field_values=each) for n, each in enumerate(fields)],
    )


def test_custom_fields_are_columns_of_text_in_json(desk: Workspace) -> None:
    note(desk)
    data = columns(desk, type_id="noted")
    assert list(data) == ["timestamp", "value", "field.note", "field.day", "field.final", "field.w"]
    assert data["field.note"] == TEXTS
    assert data["field.day"] == ["2026-01-31", *[None] * 7]
    assert data["field.final"] == ["true", "false"] * 4
    assert data["field.w"] == [str(n) for n in range(8)]


def test_csv_guards_texts_and_nothing_else(desk: Workspace) -> None:
    note(desk)
    written(desk, SCALAR, close("2026-02-01", "-1.5", series="noted"))
    header, *found = rows(desk, type_id="noted")
    assert header == ["timestamp", "value", "field.note", "field.day", "field.final", "field.w"]
    assert found[0] == ["2026-01-01T00:00:00Z", "0.0", "'=1+1", "2026-01-31", "true", "0"]
    assert [unguard(row[2]) if row[2] else None for row in found[:8]] == TEXTS
    assert found[8] == ["2026-02-01T00:00:00Z", "-1.5", "", "", "", ""]


def test_arrow_has_instants_exact_numbers_and_fields_of_their_types(desk: Workspace) -> None:
    note(desk)
    found = table(desk, type_id="noted")
    instant = pa.timestamp("us", "UTC")
    number, scaled = pa.decimal128(38, 0), pa.decimal128(38, 1)
    assert found.schema.types == [instant, scaled, pa.string(), pa.date32(), pa.bool_(), number]
    first = found.to_pylist()[0]
    assert first == {
        "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "value": Decimal("0.0"),
        "field.note": "=1+1",
        "field.day": date(2026, 1, 31),
        "field.final": True,
        "field.w": Decimal(0),
    }
    assert found.column("field.note").to_pylist() == TEXTS


def test_an_arrow_stream_says_what_it_is_and_that_it_is_sorted(desk: Workspace) -> None:
    written(desk, SCALAR, close("2026-01-01", 1, series="noted"))
    metadata = table(desk, type_id="noted").schema.metadata
    assert metadata[b"sorted_by"] == b"timestamp"
    assert (metadata[b"kind"], metadata[b"unit"], metadata[b"count"]) == (b"scalar", b"AUD", b"1")


def test_decimals_have_the_largest_scale_of_the_answer(desk: Workspace) -> None:
    written(desk, SCALAR, close("2026-01-01", "45.8"), close("2026-01-02", "-0.125"), close("2026-01-03", 7))
    value = table(desk).column("value")
    assert value.type == pa.decimal128(38, 3)
    assert [str(each) for each in value.to_pylist()] == ["45.800", "-0.125", "7.000"]


@pytest.mark.parametrize("wide", ["1" * 39, "0." + "1" * 39, "-" + "9" * 37 + ".25"])
def test_numbers_are_text_where_38_digits_do_not_do(desk: Workspace, wide: str) -> None:
    written(desk, SCALAR, close("2026-01-01", wide), close("2026-01-02", "45.820"))
    value = table(desk).column("value")
    assert (value.type, value.to_pylist()) == (pa.string(), [wide, "45.820"])


def test_thirty_eight_digits_and_a_sign_are_a_decimal(desk: Workspace) -> None:
    written(desk, SCALAR, close("2026-01-01", "-" + "9" * 36 + ".25"))
    assert table(desk).column("value").type == pa.decimal128(38, 2)


@pytest.mark.parametrize(
    ("numbers", "kind", "value"), [("float64", pa.float64(), 45.82), ("string", pa.string(), "45.820")]
)
def test_numbers_may_be_floats_or_text(desk: Workspace, numbers: str, kind: pa.DataType, value: object) -> None:
    written(desk, SCALAR, close("2026-01-01", "45.820"))
    found = table(desk, numbers=numbers).column("value")
    assert (found.type, found.to_pylist()) == (kind, [value])


def test_values_from_before_their_field_had_its_kind_are_text(desk: Workspace, product_database_url: str) -> None:
    """The product refuses such a change; a database may hold one from before it did."""
    written(desk, SCALAR, close("2026-01-01", 1, series="noted", field_values={"note": "x"}))
    fields = answered(desk.robot.get("/time-series-type-fields"), 200)["data"]
    [text] = [field["id"] for field in fields if field["field_key"] == "note"]
    answered(desk.admin.delete(f"/time-series-type-fields/{text}"), 204)
    assert "field.note" not in columns(desk, type_id="noted")
    answered(desk.admin.post(f"/time-series-type-fields/{text}/restore"), 200)

    async def make_it_a_number() -> None:
        driver = await asyncpg.connect(product_database_url)
        try:
            await driver.execute("update time_series_type_fields set data_type = 'number' where id = $1", text)
        finally:
            await driver.close()

    house.finished(make_it_a_number())
    written(desk, SCALAR, close("2026-01-02", 1, series="noted", field_values={"note": 2}))
    assert columns(desk, type_id="noted")["field.note"] == ["x", "2"]
    note = table(desk, type_id="noted").column("field.note")
    assert (note.type, note.to_pylist()) == (pa.string(), ["x", "2"])


@pytest.mark.parametrize("series", ["close", "bar", "noted"])
def test_an_empty_series_has_all_its_columns(desk: Workspace, series: str) -> None:
    data = columns(desk, type_id=series)
    assert set(map(tuple, data.values())) == {()}
    assert rows(desk, type_id=series) == [list(data)]
    found = table(desk, type_id=series)
    assert (found.num_rows, found.column_names) == (0, list(data))


def test_a_reference_that_names_nothing_is_refused(desk: Workspace) -> None:
    unknown = {"instrument_id": "unknown_reference", "type_id": "unknown_reference"}
    nobody = "019a2c49-0000-7000-8000-000000000000"
    assert refused_fields(ask(desk, instrument_id="nab.ax", type_id=nobody)) == unknown
    assert refused_fields(ask(desk, instrument_id="a b")) == {"instrument_id": "invalid_reference"}
    assert refused_fields(desk.robot.get(f"/{SCALAR}/series")) == {"instrument_id": "required", "type_id": "required"}
    bad = {"from": "2026-01-01T00:00:00", "numbers": "int", "limit": "5"}
    refused = {"from": "invalid_timestamp", "numbers": "invalid_choice", "limit": "unknown_field"}
    assert refused_fields(ask(desk, **bad)) == refused


def test_another_workspace_has_none_of_it(desk: Workspace, new_workspace: Callable[[], Workspace]) -> None:
    written(desk, SCALAR, close("2026-01-01", 1))
    other = equip(new_workspace())
    bhp = answered(desk.robot.get("/instruments/bhp.ax"), 200)["id"]
    assert refused_fields(ask(other, instrument_id=bhp)) == {"instrument_id": "unknown_reference"}
    assert columns(other)["value"] == []


def test_a_series_of_many_blocks_comes_whole_in_every_form(desk: Workspace) -> None:
    # Texts fill a block long before numbers do.
    times = [f"2026-01-{n // 1440 + 1:02}T{n // 60 % 24:02}:{n % 60:02}:00Z" for n in range(6000)]
    values = [f"{n}.{n % 100:02}" for n in range(6000)]
    texts = [f"{n} é" * 200 for n in range(6000)]
    records = [
        close(time, value, series="noted", field_values={"note": text})
        for time, value, text in zip(times, values, texts, strict=True)
    ]
    written(desk, SCALAR, *reversed(records))
    data = columns(desk, type_id="noted")
    assert (data["timestamp"], data["value"], data["field.note"]) == (times, values, texts)
    assert [row[:3] for row in rows(desk, type_id="noted")[1:]] == [
        list(row) for row in zip(times, values, texts, strict=True)
    ]
    found = table(desk, type_id="noted")
    assert [str(each) for each in found.column("value").to_pylist()] == values
    assert found.column("field.note").to_pylist() == texts
    answer = ask(desk, ARROW, type_id="noted")
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_the_form_is_chosen_by_the_accept_header(desk: Workspace) -> None:
    for accept, content_type in {
        "*/*": JSON,
        "image/png": JSON,
        "text/*": "text/csv; charset=utf-8",
        f"{ARROW};q=0.9, {JSON};q=0.5": ARROW,
    }.items():
        answer = ask(desk, accept)
        assert (answer.headers["content-type"], answer.headers["vary"]) == (content_type, "Accept")


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("text/csv, application/json", JSON),
        ("text/csv, */*;q=0.1", CSV),
        ("TEXT/CSV;q=1.0;charset=x", CSV),
        ("text/csv;q=0", JSON),
        (f"application/*, {JSON};q=0.1", ARROW),
        ("text/csv;q=x", JSON),
        (";;,,q=1", JSON),
    ],
)
def test_the_closest_range_of_an_accept_header_speaks_for_a_form(accept: str, found: str) -> None:
    assert preferred(accept, (JSON, CSV, ARROW)) == found


def test_nobody_reads_a_series_without_a_token(desk: Workspace) -> None:
    problem(desk.client(None).get(f"/{SCALAR}/series"), 401, "unauthorized")


@pytest.fixture(scope="module")
def busy(new_workspace: Callable[[], Workspace]) -> Workspace:
    return equip(new_workspace())


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    values=st.lists(
        st.decimals(min_value=-(10**20), max_value=10**20, allow_nan=False, allow_infinity=False, places=None).filter(
            lambda number: number.adjusted() > -60 and len(number.as_tuple().digits) < 60
        ),
        max_size=6,
    )
)
def test_numbers_come_back_as_they_were_written(busy: Workspace, values: list[Decimal]) -> None:
    records = [close(f"2026-01-{n + 1:02}", f"{value:f}") for n, value in enumerate(values)]
    written(busy, SCALAR, *records, on_conflict="update")
    span = {"from": "2026-01-01", "to": f"2026-01-{len(values) + 1:02}"}
    wanted = [f"{value if value else abs(value):f}" for value in values]
    assert columns(busy, **span)["value"] == wanted
    assert [Decimal(each) for each in table(busy, **span).column("value").to_pylist()] == values
