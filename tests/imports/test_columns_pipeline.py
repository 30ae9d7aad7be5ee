"""Values as an import job takes them: counted, custom fields included, and the schema they speak of known before."""

import io
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from ptolemy.catalogue import EXPORTED
from ptolemy.formats.detection import Format
from ptolemy.imports.columns.loader import ValuesLoader
from ptolemy.imports.columns.pipeline import ValuesPipeline
from ptolemy.imports.columns.preflight import spoken_values
from ptolemy.imports.row_errors import RowError
from ptolemy.plans import items
from ptolemy.resources.time_series_values import TimeSeriesValues
from tests.imports.columns_desk import Desk, open_desk

CSV = "instrument,type_id,timestamp,value,field.source\n"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database_url) as opened:
        await opened.run(
            "insert into time_series_type_fields (id, type_id, field_key, data_type, is_required, has_default,"
            " allow_null, display_order, workspace_id) values (?, ?, 'source', 'text', false, false, true, 0, ?)",
            uuid4(),
            opened.close,
        )
        yield opened


async def load(desk: Desk, content: str, format: Format) -> tuple[int, int, list[RowError]]:
    async with desk.db.bulk(desk.caller) as tx:
        loader = await ValuesLoader.load(tx)
    pipeline = ValuesPipeline(EXPORTED["time_series_values"], loader, io.BytesIO(content.encode()), format)
    rows = imported = 0
    errors: list[RowError] = []
    for batch in pipeline.batches():
        async with pipeline.begin(desk.db, desk.caller) as tx:
            outcome = await pipeline.write(tx, batch)
        assert outcome.rows == pipeline.rows_in(batch)
        rows, imported, errors = rows + outcome.rows, imported + outcome.imported, [*errors, *outcome.errors]
    return rows, imported, errors


async def counted(desk: Desk) -> dict[str, int]:
    async with desk.db.bulk(desk.caller) as tx:
        return await items.usage(tx)


async def test_values_count_as_items(desk: Desk) -> None:
    content = CSV + "bhp,close,2026-01-01,1,\nbhp,close,2026-01-02,x,\n"
    rows, imported, errors = await load(desk, content, "csv")
    assert (rows, imported, [error.row for error in errors]) == (2, 1, [2])
    assert await counted(desk) == {"time_series_values": 1}


@pytest.mark.parametrize("format", ["csv", "json"])
async def test_values_with_custom_fields_go_in_and_the_bad_ones_are_named(desk: Desk, format: Format) -> None:
    content = (
        CSV + "bhp,close,2026-01-01,1,'=x\nbhp,close,2026-01-01,2,y\nbhp,close,2026-01-03,3,\nx,close,2026-01-04,4,\n"
    )
    if format == "json":
        cells = [row.split(",") for row in content.splitlines()[1:]]
        content = ",".join(
            f'{{"instrument":"{i}","type_id":"{s}","timestamp":"{t}","value":{v},'
            f'"field_values":{{"source":"{f or "-"}"}}}}'
            for i, s, t, v, f in cells
        )
        content = f"[{content}]".replace("'", "")
    rows, imported, errors = await load(desk, content, format)
    assert (rows, imported) == (4, 2)
    assert [(error.row, error.code) for error in errors] == [(2, "conflict"), (4, "unknown_reference")]
    assert (await desk.stored("field_values::text, value::text"))[0] == ('{"source": "=x"}', "1")
    assert await counted(desk) == {"time_series_values": 2}


def test_the_series_and_fields_of_recorded_rows_are_known_before_the_first_row_of_csv() -> None:
    content = (
        "id,type_id,value,field.a,field.b\n"
        f"{uuid4()},close,1,x,\n{uuid4()},open,1,,\n,other,1,x,y\n{uuid4()},,1,x,y\n{uuid4()},close,2,,y\n"
    )
    columns, spoken = spoken_values(io.BytesIO(content.encode()), "csv")
    assert columns == ["id", "type_id", "value", "field.a", "field.b"]
    assert spoken == {TimeSeriesValues.type_id: {"close": {"a", "b"}, "open": set()}}


def test_the_series_and_fields_of_recorded_rows_are_known_before_the_first_row_of_json() -> None:
    content = (
        '[{"id":"x","type_id":"close","field_values":{"a":"1","b":null}},{"type_id":"other","field_values":{"c":"1"}},'
        '{"id":"y","type_id":"open"},{"id":"z","type_id":"close","field_values":{"d":"1"}}]'
    )
    assert spoken_values(io.BytesIO(content.encode()), "json") == (
        None,
        {TimeSeriesValues.type_id: {"close": {"a", "b", "d"}, "open": set()}},
    )
