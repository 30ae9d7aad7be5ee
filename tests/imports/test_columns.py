"""Scalar values imported by columns: stored exactly, every bad row named, no other harmed."""

import io
import json
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptolemy.database.sql import Sql
from ptolemy.imports.columns import binary
from ptolemy.imports.columns.cells import decimals
from ptolemy.imports.columns.encode import EncodedBlock, RowsBlock
from ptolemy.imports.row_errors import RowError
from tests.imports.columns_desk import Desk, loader_of, open_desk, write

HEADER = "instrument,type_id,timestamp,value\n"


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_desk(database_url) as opened:
        yield opened


def short(errors: Sequence[RowError]) -> list[tuple[int, int | None, str | None, str]]:
    return [(error.row, error.line, error.field, error.code) for error in errors]


async def test_the_lean_form_is_stored_as_it_reads(desk: Desk) -> None:
    assert await desk.load(HEADER + "bhp,close,2026-04-15,45.820\n") == (1, [])
    assert await desk.stored(
        "instrument_id, type_id, timestamp::text, value::text, field_values::text, archived_at"
    ) == [(desk.bhp, desk.close, "2026-04-15 00:00:00+00", "45.820", "{}", None)]
    assert await desk.stored("created_at between now() - interval '1 minute' and now(), updated_at = created_at") == [
        (True, True)
    ]


FULL = (
    "id,instrument_id,instrument,type_id,timestamp,value,field.source,created_at,updated_at,archived_at\n"
    "0190aaaa-0000-7000-8000-000000000001,{unknown},bhp,close,2026-04-15T10:00:00.5Z,-0.10,,2020-01-01,2020-01-02,\n"
    "0190aaaa-0000-7000-8000-000000000002,{bhp},old-name,close,2026-04-15T10:00:00.5Z,7,,2020-01-01,2020-01-02,2021-01-01\n"
)


async def test_the_full_form_keeps_ids_and_instants_and_an_unknown_uuid_gives_way_to_the_identifier(desk: Desk) -> None:
    assert await desk.load(FULL.format(unknown=uuid4(), bhp=desk.bhp)) == (2, [])
    assert await desk.stored(
        "id::text, instrument_id, value::text, created_at::date::text, archived_at::date::text"
    ) == [
        ("0190aaaa-0000-7000-8000-000000000001", desk.bhp, "-0.10", "2020-01-01", None),
        ("0190aaaa-0000-7000-8000-000000000002", desk.bhp, "7", "2020-01-01", "2021-01-01"),
    ]


async def test_json_numbers_and_texts_are_stored_with_every_digit(desk: Desk) -> None:
    digits = "1" * 99 + "." + "2" * 99
    rows = [("2026-01-01", '"45.820"'), ("2026-01-02", "45.820"), ("2026-01-03", "12"), ("2026-01-04", digits)]
    elements = [f'{{"instrument":"bhp","type_id":"close","timestamp":"{t}","value":{v}}}' for t, v in rows]
    assert await desk.load(f"[{','.join(elements)}]", "json") == (4, [])
    assert await desk.stored("value::text") == [("45.820",), ("45.820",), ("12",), (digits,)]


@settings(max_examples=15, deadline=None)
@given(
    values=st.lists(
        st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,40})?|-?0{0,9}\.?0{0,9}[0-9]{1,3}", fullmatch=True),
        min_size=1,
        max_size=50,
    )
)
async def test_numbers_are_stored_as_postgresql_itself_would(database_url: str, values: list[str]) -> None:
    cells, _ = decimals(pa.array(values))
    rows = binary.rows_of(len(values), {"value": binary.numerics(cells)})
    driver = await asyncpg.connect(database_url)
    try:
        await driver.execute("create temporary table numbers (value numeric)")
        content = binary.HEADER + rows.tobytes() + binary.TRAILER
        await driver.copy_to_table("numbers", source=io.BytesIO(content), format="binary", schema_name="pg_temp")
        stored = await driver.fetch("select value, numeric_send(value) sent from numbers")
        parsed = await driver.fetch(
            "select v::numeric, numeric_send(v::numeric) sent from unnest($1::text[]) v", values
        )
    finally:
        await driver.close()
    assert [row["sent"] for row in stored] == [row["sent"] for row in parsed]
    assert [row["value"] for row in stored] == [Decimal(value) for value in values]


BAD = (
    HEADER
    + "bhp,close,2026-01-01,1\n"
    + "nobody,close,2026-01-02,1\n"
    + "bhp,close,2026-02-30,x\n"
    + "bhp,ohlcv,2026-01-03,1\n"
    + "gone,close,2026-01-04,1\n"
    + "bhp,close,2026-01-05\n"
    + ",close,2026-01-06,\n"
    + "b/hp,close,2026-01-07,1\n"
    + "rio,close,2026-01-08T10:00:00,1\n"
    + "rio,close,2026-01-09,1\n"
)


async def test_exactly_the_guilty_rows_are_named(desk: Desk) -> None:
    inserted, errors = await desk.load(BAD)
    assert inserted == 2
    assert short(errors) == [
        (2, 3, "instrument_id", "unknown_reference"),
        (3, 4, "timestamp", "invalid_timestamp"),
        (3, 4, "value", "invalid_number"),
        (4, 5, "type_id", "wrong_series_kind"),
        (5, 6, "instrument_id", "parent_archived"),
        (6, 7, None, "wrong_cell_count"),
        (7, 8, "instrument_id", "required"),
        (7, 8, "value", "required"),
        (8, 9, "instrument_id", "invalid_reference"),
        (9, 10, "timestamp", "invalid_timestamp"),
    ]


async def test_bad_elements_of_json_are_named(desk: Desk) -> None:
    good = {"instrument_id": "bhp", "type_id": "close", "timestamp": "2026-01-01", "value": 1}
    rows: list[Any] = [good, good | {"price": 1}, 5, good | {"value": True}, good | {"timestamp": 5}]
    rows += [good | {"field_values": []}, good | {"timestamp": "2026-01-02", "field_values": {}}]
    inserted, errors = await desk.load(json.dumps(rows), "json")
    assert inserted == 2
    assert short(errors) == [
        (2, None, "price", "unknown_field"),
        (3, None, None, "not_an_object"),
        (4, None, "value", "invalid_number"),
        (5, None, "timestamp", "invalid_timestamp"),
        (6, None, "field_values", "invalid_field_values"),
    ]


async def test_a_row_with_an_id_may_belong_to_an_archived_instrument(desk: Desk) -> None:
    assert await desk.load(f"id,{HEADER}{uuid4()},gone,close,2026-01-01,1\n") == (1, [])


@pytest.mark.parametrize("staged", [False, True])
async def test_taken_instants_are_conflicts_and_the_first_of_equals_wins(desk: Desk, staged: bool) -> None:
    await desk.load(HEADER + "bhp,close,2026-01-01,1\nrio,close,2026-01-02,1\n")
    content = HEADER + "".join(f"bhp,close,2026-01-{day},2\n" for day in ("02", "01", "03", "02T00:00:00Z", "04"))
    inserted, errors = await desk.load(content, staged=staged)
    assert inserted == 3
    assert short(errors) == [(2, 3, "timestamp", "conflict"), (4, 5, "timestamp", "conflict")]


async def test_conflicts_are_found_when_every_row_is_of_another_series(desk: Desk) -> None:
    await desk.load(HEADER + "bhp,close,2026-01-01,1\n")
    inserted, errors = await desk.load(HEADER + "rio,close,2026-01-01,1\nbhp,close,2026-01-01,2\n")
    assert (inserted, short(errors)) == (1, [(2, 3, "timestamp", "conflict")])


async def test_conflicts_are_found_where_the_stored_series_is_much_denser(desk: Desk) -> None:
    minutes = "".join(f"bhp,close,2026-01-01T{i // 60:02}:{i % 60:02}:00Z,1\n" for i in range(1000))
    await desk.load(HEADER + minutes)
    seconds = "".join(f"bhp,close,2026-01-01T{i:02}:00:{30 if i else 0:02}Z,1\n" for i in range(17))
    inserted, errors = await desk.load(HEADER + seconds)
    assert (inserted, short(errors)) == (16, [(1, 2, "timestamp", "conflict")])


async def test_an_archived_value_holds_no_instant(desk: Desk) -> None:
    await desk.load(HEADER + "bhp,close,2026-01-01,1\n")
    await desk.run("update time_series_values set archived_at = now() where workspace_id = ?")
    content = f"archived_at,{HEADER},bhp,close,2026-01-01,2\n2026-01-05,bhp,close,2026-01-01,3\n"
    assert await desk.load(content) == (2, [])


@pytest.mark.parametrize("others", [0, 30])
async def test_conflicts_are_told_from_archived_values_stored_and_arriving(desk: Desk, others: int) -> None:
    await desk.load(HEADER + "bhp,close,2026-01-01,1\nbhp,close,2026-01-02,1\n")
    await desk.run(
        "update time_series_values set archived_at = now() where timestamp = '2026-01-01Z' and workspace_id = ?"
    )
    days = [
        ",2026-01-01",
        ",2026-01-02",
        "2026-05-05,2026-01-03",
        ",2026-01-03",
        *(f",{1990 + i}-01-01" for i in range(others)),
    ]
    content = "archived_at,timestamp,instrument,type_id,value\n" + "".join(f"{day},bhp,close,2\n" for day in days)
    inserted, errors = await desk.load(content)
    assert (inserted, short(errors)) == (len(days) - 1, [(2, 3, "timestamp", "conflict")])


async def test_taken_ids_are_conflicts(desk: Desk) -> None:
    one, two, three = (f"0190aaaa-0000-7000-8000-00000000000{i}" for i in (1, 2, 3))
    await desk.load(f"id,{HEADER}{two},bhp,close,2026-01-01,1\n")
    rows = [(one, "02"), (two, "03"), (three, "04"), (one, "05"), (three, "01"), ("", "06")]
    content = f"id,{HEADER}" + "".join(f"{id},bhp,close,2026-01-{day},1\n" for id, day in rows)
    inserted, errors = await desk.load(content)
    assert inserted == 3
    assert short(errors) == [(2, 3, "id", "conflict"), (4, 5, "id", "conflict"), (5, 6, "timestamp", "conflict")]


async def test_a_row_that_is_there_already_conflicts_by_its_id_as_in_any_other_import(desk: Desk) -> None:
    row = f"{uuid4()},bhp,close,2026-01-01,1\n"
    assert await desk.load(f"id,{HEADER}{row}") == (1, [])
    _, errors = await desk.load(f"id,{HEADER}{row}")
    assert short(errors) == [(1, 2, "id", "conflict")]


async def test_a_refused_row_takes_no_id_from_a_later_one(desk: Desk) -> None:
    await desk.load(HEADER + "bhp,close,2026-01-01,1\n")
    same = uuid4()
    content = f"id,{HEADER}{same},bhp,close,2026-01-01,1\n{same},bhp,close,2026-01-02,1\n"
    inserted, errors = await desk.load(content)
    assert (inserted, short(errors)) == (1, [(1, 2, "timestamp", "conflict")])


async def test_the_same_id_in_another_workspace_is_no_conflict(desk: Desk, database_url: str) -> None:
    content = f"id,{HEADER}{uuid4()},bhp,close,2026-01-01,1\n"
    await desk.load(content)
    async with open_desk(database_url) as other:
        assert await other.load(content) == (1, [])


async def test_blocks_conflict_with_those_before_them_in_the_file(desk: Desk) -> None:
    days = [f"{2000 + i // 336}-{i % 336 // 28 + 1:02}-{i % 28 + 1:02}" for i in range(5000)]
    rows = "".join(f"{name},close,{day},1.5\n" for name in ("bhp", "rio") for day in days)
    content = HEADER + rows * 5
    assert len(content) > 1 << 20
    inserted, errors = await desk.load(content)
    assert inserted == 10_000
    assert [error.row for error in errors] == list(range(10_001, 50_001))
    assert {error.code for error in errors} == {"conflict"}


async def test_parents_can_not_be_deleted_while_their_values_are_on_the_way(desk: Desk) -> None:
    async with desk.db.bulk(desk.caller) as tx, desk.db.bulk(desk.caller) as other:
        await write(await loader_of(tx), tx, HEADER + "bhp,close,2026-01-01,1\n", "csv")
        for table, parent in (("instruments", desk.bhp), ("series", desk.close)):
            row = Sql.of(f"select 1 from {table} where workspace_id = ? and id = ?", tx.workspace_id, parent)
            with pytest.raises(asyncpg.LockNotAvailableError):
                async with other.savepoint():
                    await other.run(Sql(f"{row.text} for update nowait", row.args))
            await other.run(Sql(f"{row.text} for no key update nowait", row.args))


async def test_parents_deleted_or_archived_since_the_import_began_are_noticed(desk: Desk) -> None:
    async with desk.db.bulk(desk.caller) as tx:
        loader = await loader_of(tx)
    await desk.run("update instruments set archived_at = now() where identifier = 'bhp' and workspace_id = ?")
    await desk.run("delete from instruments where identifier = 'rio' and workspace_id = ?")
    async with desk.db.bulk(desk.caller) as tx:
        content = HEADER + "bhp,close,2026-01-01,1\nrio,close,2026-01-01,1\n"
        inserted, errors = await write(loader, tx, content, "csv")
    assert inserted == 0
    assert short(errors) == [(1, 2, "instrument_id", "parent_archived"), (2, 3, "instrument_id", "unknown_reference")]


async def test_values_with_custom_fields_are_left_to_the_engine(desk: Desk) -> None:
    async with desk.db.bulk(desk.caller) as tx:
        loader = await loader_of(tx)
    content = "instrument,type_id,timestamp,value,field.source\nbhp,close,2026-01-01,1,\nbhp,close,2026-01-02,1,x\n"
    [block] = loader.blocks(io.BytesIO(content.encode()), "csv")
    assert isinstance(block, RowsBlock)
    assert [(row.number, row.values["field.source"]) for row in block.rows] == [(1, None), (2, "x")]


async def test_values_of_a_series_with_defaults_are_left_to_the_engine_where_a_null_would_be_kept(desk: Desk) -> None:
    await desk.run(
        "insert into time_series_type_fields (id, type_id, field_key, data_type, is_required, has_default, allow_null,"
        " display_order, workspace_id) values (?, ?, 'source', 'text', false, true, true, 0, ?)",
        uuid4(),
        desk.close,
    )
    async with desk.db.bulk(desk.caller) as tx:
        loader = await loader_of(tx)
    new, recorded = ",bhp,close,2026-01-01,1", f"{uuid4()},bhp,close,2026-01-01,1"
    with_cell = f"id,{HEADER.strip()},field.source\n"
    for content, kind in (
        (f"id,{HEADER}{new}\n", RowsBlock),
        (f"id,{HEADER}{recorded}\n", EncodedBlock),
        (f"{with_cell}{recorded},\n", RowsBlock),
    ):
        [block] = loader.blocks(io.BytesIO(content.encode()), "csv")
        assert isinstance(block, kind)


async def test_a_writer_that_takes_the_instant_meanwhile_makes_it_a_conflict(desk: Desk) -> None:
    content = HEADER + "bhp,close,2026-01-01,1\nbhp,close,2026-01-02,1\n"
    async with desk.db.bulk(desk.caller) as tx:
        loader = await loader_of(tx)
        await desk.load(HEADER + "bhp,close,2026-01-02,9\n")
        inserted, errors = await write(loader, tx, content, "csv")
    assert (inserted, short(errors)) == (1, [(2, 3, "timestamp", "conflict")])
    assert sorted(await desk.stored("value::text")) == [("1",), ("9",)]
