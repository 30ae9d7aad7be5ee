"""What is written is read as the same rows, and written again as the same bytes, in every format of text."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptolemy.formats.columns import read_csv_columns
from ptolemy.formats.csv import CsvReader, CsvWriter, guard, unguard
from ptolemy.formats.gzip import deflate, inflate
from ptolemy.formats.json_array import JsonWriter, read_json
from ptolemy.formats.ndjson import NdjsonWriter, read_ndjson
from ptolemy.formats.rows import UNLIMITED, FileRow
from ptolemy.kernel.json import encode

ODD_TEXTS = [
    "", " ", "'", "''", "=1+1", "'=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t", "\r", "\n", "\r\n",
    'say "so"', '"', ",", ";", "a,b\r\nc", "null", "NULL", "\\N", "\\", "true", "\u0301", "e\u0301", "\u202eRTL", 
    "שלום", "\U0001f71a", "\U0010ffff", "日本", "\x01\x1f", "\x7f", "\x85", "\u2028\u2029", "\ufeff", "]",
    "},\n{", "},{",
]  # fmt: skip
TEXTS = st.sampled_from(ODD_TEXTS) | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
DIGITS = st.text("0123456789", min_size=1, max_size=100)
NUMBERS = st.builds(lambda sign, whole, part: f"{sign}{whole}.{part}", st.sampled_from(["", "-"]), DIGITS, DIGITS)
DAYS = st.dates().map(str) | st.sampled_from(["0001-01-01", "9999-12-31"])
INSTANTS = st.datetimes().map(lambda instant: f"{instant.isoformat()}Z") | st.sampled_from(
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
)
PLAIN = NUMBERS | DAYS | INSTANTS | st.sampled_from(["true", "false"])
"""What stands in a cell as it is."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | TEXTS | PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=6)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[bool], list[list[str | None]]]:
    """Which columns are text, and rows of nulls, texts, and what is no text."""
    texts = draw(st.lists(st.booleans(), min_size=1, max_size=5))
    row = st.tuples(*(st.none() | (TEXTS if text else PLAIN) for text in texts)).map(list)
    return texts, draw(st.lists(row, max_size=8))


@settings(max_examples=500)
@given(tables(), st.integers(1, 60))
def test_csv_comes_back_by_rows_and_by_columns(
    table: tuple[list[bool], list[list[str | None]]], block_bytes: int
) -> None:
    texts, rows = table
    columns = [f"c{place}" for place in range(len(texts))]

    def written(rows: Sequence[Sequence[str | None]]) -> bytes:
        out = io.BytesIO()
        cells = [[guard(cell) if text else cell for cell, text in zip(row, texts, strict=True)] for row in rows]
        CsvWriter(out, columns).write(cells)
        return out.getvalue()

    def taken(cells: Sequence[str | None]) -> list[str | None]:
        return [unguard(cell) if text else cell for cell, text in zip(cells, texts, strict=True)]

    content = written(rows)
    by_rows = [taken(list(row.values.values())) for row in CsvReader(io.BytesIO(content))]
    assert by_rows == rows
    assert written(by_rows) == content
    _, blocks = read_csv_columns(io.BytesIO(content), block_bytes)
    by_columns = [
        taken(cells)
        for block in blocks
        for cells in zip(*(block.columns[name].to_pylist() for name in columns), strict=True)
    ]
    assert by_columns == rows


@settings(max_examples=500)
@given(OBJECTS)
def test_json_comes_back(rows: list[dict[str, Any]]) -> None:
    json_comes_back(rows)


@pytest.mark.long
@settings(max_examples=5_000)
@given(OBJECTS)
def test_json_comes_back_again_and_again(rows: list[dict[str, Any]]) -> None:
    json_comes_back(rows)


def json_comes_back(rows: list[dict[str, Any]]) -> None:
    comes_back(rows, JsonWriter, lambda content: list(read_json(io.BytesIO(content))))


@settings(max_examples=500)
@given(OBJECTS)
def test_ndjson_comes_back(rows: list[dict[str, Any]]) -> None:
    ndjson_comes_back(rows)


@pytest.mark.long
@settings(max_examples=5_000)
@given(OBJECTS)
def test_ndjson_comes_back_again_and_again(rows: list[dict[str, Any]]) -> None:
    ndjson_comes_back(rows)


def ndjson_comes_back(rows: list[dict[str, Any]]) -> None:
    comes_back(rows, NdjsonWriter, lambda content: list(read_ndjson(io.BytesIO(content))))


def comes_back(
    rows: list[dict[str, Any]],
    writing: type[JsonWriter] | type[NdjsonWriter],
    reading: Callable[[bytes], list[FileRow]],
) -> None:
    def written(rows: Sequence[dict[str, Any]]) -> bytes:
        out = io.BytesIO()
        writer = writing(out)
        writer.write([encode(row) for row in rows])
        writer.end()
        return out.getvalue()

    content = written(rows)
    read = reading(content)
    assert [(row.number, dict(row.values), row.fault) for row in read] == [
        (n, row, None) for n, row in enumerate(rows, 1)
    ]
    assert written([dict(row.values) for row in read]) == content


@settings(max_examples=500)
@given(st.binary(max_size=200), st.integers(1, 64))
def test_gzip_comes_back(content: bytes, at_once: int) -> None:
    def packed(content: bytes) -> bytes:
        out = io.BytesIO()
        with deflate(out) as file:
            for start in range(0, len(content), at_once):
                file.write(content[start : start + at_once])
        return out.getvalue()

    with inflate(io.BytesIO(packed(content)), limit_bytes=UNLIMITED) as file:
        read = file.read()
    assert read == content == gzip.decompress(packed(content))
    assert packed(read) == packed(content)
