"""Scalar values exported by columns: the very bytes of the export row by row."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from ptolemy.database.sql import Sql
from ptolemy.engine.interchange import Interchange, custom_fields
from ptolemy.exports.columns.export import export_values, shape_of
from ptolemy.exports.rows import row_writer, rows
from ptolemy.formats.detection import Format
from ptolemy.resources.time_series_values import TimeSeriesValues
from tests.imports.columns_desk import Desk, open_desk

FORMATS: tuple[Format, ...] = ("csv", "json", "ndjson")
HEADER = "archived_at,instrument,type_id,timestamp,value\n"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database_url) as opened:
        yield opened


async def by_columns(desk: Desk, format: Format, condition: str = "true") -> tuple[int, str]:
    out = io.BytesIO()
    async with desk.db.snapshot(desk.caller) as tx:
        wanted = Sql.of(f"workspace_id = ? and {condition}", tx.workspace_id)
        custom = await custom_fields(tx, Interchange(TimeSeriesValues))
        number = await export_values(tx, out, await shape_of(tx, format, custom, {}), wanted)
    return number, out.getvalue().decode()


async def by_rows(desk: Desk, format: Format) -> str:
    out, interchange = io.BytesIO(), Interchange(TimeSeriesValues)
    async with desk.db.snapshot(desk.caller) as tx:
        custom = await custom_fields(tx, interchange)
        writer = row_writer(out, format, interchange, custom, {})
        async for batch in rows(tx, interchange, Sql.of("workspace_id = ?", tx.workspace_id)):
            writer.write(batch)
        writer.end()
    return out.getvalue().decode()


async def define(desk: Desk, key: str, data_type: str, order: int) -> None:
    await desk.run(
        "insert into time_series_type_fields (id, type_id, field_key, data_type, is_required, has_default, allow_null,"
        " display_order, workspace_id) values (?, ?, ?, ?, false, false, true, ?, ?)",
        uuid4(),
        desk.close,
        key,
        data_type,
        order,
    )


@pytest.mark.parametrize("format", FORMATS)
async def test_both_ways_write_the_same_bytes(desk: Desk, format: Format) -> None:
    await desk.load(
        HEADER
        + ",bhp,close,2026-04-15,45.820\n"
        + "2026-05-01T10:00:00.25Z,bhp,close,2026-04-15T10:00:00.123456Z,-0.00\n"
        + ",rio,close,0001-01-01,1e-20\n"
        + ",rio,close,9999-12-31T23:59:59.5Z,7\n"
    )
    number, content = await by_columns(desk, format)
    assert number == 4
    assert content == await by_rows(desk, format)


@pytest.mark.parametrize("format", FORMATS)
async def test_custom_fields_stand_in_their_order_and_texts_are_guarded(desk: Desk, format: Format) -> None:
    for key, data_type, order in (("source", "text", 2), ("lots", "number", 1), ("b", "text", 2)):
        await define(desk, key, data_type, order)
    await desk.load(HEADER + "".join(f",bhp,close,2026-04-{day},1\n" for day in ("15", "16", "17", "18")))
    stored = [{"source": "=1+1", "lots": "-5"}, {}, {"b": 'a "b", c\n\x02é\\', "source": ""}, {"b": "x", "lots": None}]
    for day, values in zip(("15", "16", "17", "18"), stored, strict=True):
        await desk.run(
            f"update time_series_values set field_values = ? where timestamp = '2026-04-{day}Z' and workspace_id = ?",
            json.dumps(values),
        )
    number, content = await by_columns(desk, format)
    assert number == 4
    assert content == await by_rows(desk, format)
    assert ("'=1+1" if format == "csv" else '"=1+1"') in content


@pytest.mark.parametrize("format", FORMATS)
async def test_identifiers_that_a_spreadsheet_would_run_are_guarded(desk: Desk, format: Format) -> None:
    await desk.run("update instruments set identifier = '=\"x\"' where identifier = 'bhp' and workspace_id = ?")
    await desk.load(HEADER + f",{desk.bhp},close,2026-04-15,1\n")
    assert (await by_columns(desk, format))[1] == await by_rows(desk, format)


@pytest.mark.parametrize("format", FORMATS)
async def test_without_values_the_file_is_empty_but_whole(desk: Desk, format: Format) -> None:
    assert await by_columns(desk, format) == (0, await by_rows(desk, format))


async def test_only_the_wanted_values_are_written(desk: Desk) -> None:
    await desk.load(HEADER + ",bhp,close,2026-04-15,1\n2026-05-01,bhp,close,2026-04-15,2\n")
    number, content = await by_columns(desk, "csv", "archived_at is null")
    assert (number, len(content.splitlines())) == (1, 2)


@pytest.mark.parametrize("format", FORMATS)
async def test_what_is_exported_is_imported_again_and_exports_the_same(
    desk: Desk, database_url: str, format: Format
) -> None:
    days = [f"{2000 + i // 336}-{i % 336 // 28 + 1:02}-{i % 28 + 1:02}" for i in range(5000)]
    content = "".join(f",{name},close,{day},{i}.50\n" for name in ("bhp", "rio") for i, day in enumerate(days))
    await desk.load(HEADER + content + "2026-01-01T00:00:00.5Z,bhp,close,2000-01-01T00:00:00.000001Z,1\n")
    number, exported = await by_columns(desk, format)
    assert number == 10_001
    async with open_desk(database_url) as other:
        assert await other.load(exported, format) == (10_001, [])
        again = (await by_columns(other, format))[1]
        assert again == exported.replace(str(desk.bhp), str(other.bhp)).replace(str(desk.rio), str(other.rio))


async def test_an_export_that_is_called_off_leaves_no_thread_on_the_file(desk: Desk) -> None:
    await desk.load(HEADER + ",bhp,close,2026-04-15,1\n")

    def stop(rows: int) -> None:
        raise asyncio.CancelledError

    async with desk.db.snapshot(desk.caller) as tx:
        with pytest.raises(asyncio.CancelledError):
            wanted = Sql.of("workspace_id = ?", tx.workspace_id)
            shape = await shape_of(tx, "csv", await custom_fields(tx, Interchange(TimeSeriesValues)), {})
            await export_values(tx, io.BytesIO(), shape, wanted, each_block=stop)
