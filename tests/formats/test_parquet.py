"""Parquet: whatever a column was written as, its cells are the texts that CSV would hold."""

import gc
import io
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptolemy.formats.parquet import Kind, ParquetReader, ParquetWriter
from ptolemy.formats.rows import UNLIMITED, UnreadableFile
from ptolemy.kernel.problems import TooLarge

INSTANT = datetime(2026, 4, 15, 10, 30, 0, 250, UTC)
KINDS: tuple[Kind, ...] = ("text", "number", "boolean", "date", "timestamp", "integer")
CELLS: dict[Kind, st.SearchStrategy[str]] = {
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    "number": st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: format(number, "f")),
    "boolean": st.sampled_from(["true", "false"]),
    "date": st.dates().map(str),
    "timestamp": st.datetimes().map(lambda instant: f"{instant.isoformat(' ', 'microseconds')}Z"),
    "integer": st.integers(-(2**53), 2**53).map(str),
}
ROWS = st.lists(st.tuples(*(st.none() | CELLS[kind] for kind in KINDS)), max_size=8)


def written(columns: dict[str, Any], **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    file.seek(0)
    return file


def cells(columns: dict[str, Any]) -> list[list[Any]]:
    return [list(row.values.values()) for row in ParquetReader(written(columns), limit_bytes=UNLIMITED)]


@settings(max_examples=500)
@given(ROWS)
def test_cells_come_back_as_they_were_written(rows: list[tuple[str | None, ...]]) -> None:
    come_back(rows)


@pytest.mark.long
@settings(max_examples=5_000)
@given(ROWS)
def test_cells_come_back_again_and_again(rows: list[tuple[str | None, ...]]) -> None:
    come_back(rows)


def come_back(rows: list[tuple[str | None, ...]]) -> None:
    file = io.BytesIO()
    writer = ParquetWriter(file, {kind: kind for kind in KINDS}, {})
    writer.write([pa.array([row[place] for row in rows], pa.string()) for place in range(len(KINDS))])
    writer.end()
    file.seek(0)
    reader = ParquetReader(file, limit_bytes=UNLIMITED)
    assert list(reader.columns) == list(KINDS)
    assert [(row.number, *row.values.values()) for row in reader] == [(n, *row) for n, row in enumerate(rows, 1)]


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([1.1, 1e20, 0.1 + 0.2]), ["1.1", "1e+20", "0.30000000000000004"]),
        (pa.array([1.1], pa.float32()), ["1.1"]),
        (pa.array([Decimal("1.10"), Decimal("-0.05")]), ["1.10", "-0.05"]),
        (pa.array([1, None], pa.uint8()), ["1", None]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array([date(2026, 4, 15)]), ["2026-04-15"]),
        (pa.array([date(2026, 4, 15)], pa.date64()), ["2026-04-15"]),
        (pa.array([INSTANT], pa.timestamp("us", "Australia/Sydney")), ["2026-04-15 10:30:00.000250Z"]),
        (pa.array([INSTANT], pa.timestamp("ns", "UTC")), ["2026-04-15 10:30:00.000250000Z"]),
        (pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        (pa.array(["日本"], pa.large_string()), ["日本"]),
        (pa.array([b"bytes"]), ["bytes"]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_every_plain_type_is_taken(column: Any, texts: list[str | None]) -> None:
    assert cells({"a": column}) == [[text] for text in texts]


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (pa.array([datetime(2026, 4, 15)]), "naive_timestamps"),
        (pa.array([[1]]), "unsupported_column"),
        (pa.array([{"a": 1}]), "unsupported_column"),
        (pa.array([10], pa.time64("us")), "unsupported_column"),
    ],
)
def test_a_column_that_can_be_no_cells_is_refused_by_name(column: Any, code: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        cells({"guilty": column})
    assert caught.value.code == code
    assert "guilty" in caught.value.detail


@pytest.mark.parametrize("cut", [4, 100, -1])
def test_a_cut_file_is_unreadable(cut: int) -> None:
    content = written({"a": ["x"] * 100}).getvalue()[:cut]
    with pytest.raises(UnreadableFile):
        list(ParquetReader(io.BytesIO(content), limit_bytes=UNLIMITED))


def test_a_flipped_byte_is_unreadable_or_another_text_but_never_a_crash() -> None:
    content = written({"a": [f"text {n}" for n in range(50)]}).getvalue()
    for place in range(len(content)):
        damaged = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
        with suppress(UnreadableFile, TooLarge):
            list(ParquetReader(io.BytesIO(damaged), limit_bytes=UNLIMITED))


def test_a_small_file_of_long_repeated_texts_is_refused_before_it_fills_the_memory() -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 1_000_000]))
    file = written({"a": long})
    assert len(file.getvalue()) < 100_000
    with pytest.raises(TooLarge):
        list(ParquetReader(file, limit_bytes=100 << 20))


def test_row_groups_are_read_on_across_their_borders() -> None:
    file = written({"a": list(range(1000))}, row_group_size=7)
    rows = list(ParquetReader(file, limit_bytes=UNLIMITED))
    assert [(row.number, row.values["a"]) for row in rows] == [(n + 1, str(n)) for n in range(1000)]


def test_a_cell_of_bytes_that_are_no_text_is_a_fault_of_its_row() -> None:
    file = written({"a": pa.array([b"one", b"\xff\xfe", None, b"four"]), "b": pa.array([b"x", b"\xff", b"y", b"z"])})
    rows = list(ParquetReader(file, limit_bytes=UNLIMITED))
    assert [row.values for row in rows] == [{"a": "one", "b": "x"}, {}, {"a": None, "b": "y"}, {"a": "four", "b": "z"}]
    assert [row.fault and (row.fault.field, row.fault.code) for row in rows] == [None, ("a", "not_utf8"), None, None]
    file.seek(0)
    [block] = ParquetReader(file, limit_bytes=UNLIMITED).blocks()
    assert (block.numbers.tolist(), block.count, [row.number for row in block.faults]) == ([1, 3, 4], 4, [2])
    assert block.columns["a"].to_pylist() == ["one", None, "four"]


def test_a_file_that_is_given_up_is_no_fault(tmp_path: Path) -> None:
    unraisable: list[object] = []
    with pytest.MonkeyPatch.context() as patch, (tmp_path / "f").open("wb") as file:
        patch.setattr("sys.unraisablehook", unraisable.append)
        writer = ParquetWriter(file, {"a": "text"}, {})
        writer.write([pa.array(["x"])])
        file.close()
        del writer
        gc.collect()
    assert unraisable == []
