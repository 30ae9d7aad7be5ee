"""NDJSON: an object a line, each line a row."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptolemy.formats.ndjson import NdjsonWriter, count, read_line_blocks, read_ndjson
from ptolemy.formats.rows import FileRow, UnreadableFile
from tests.formats.test_json_array import TEXTS, VALUES

OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=6)
BLOCK_BYTES, ENDS = st.integers(1, 40), st.sampled_from(["\n", "\r\n", "\n\n"])


def read(content: str) -> list[FileRow]:
    return list(read_ndjson(io.BytesIO(content.encode())))


@settings(max_examples=500)
@given(OBJECTS, BLOCK_BYTES, ENDS, st.booleans())
def test_objects_come_back_whatever_the_blocks(rows: list[Any], block_bytes: int, end: str, last: bool) -> None:
    come_back(rows, block_bytes, end, last)


@pytest.mark.long
@settings(max_examples=5_000)
@given(OBJECTS, BLOCK_BYTES, ENDS, st.booleans())
def test_objects_come_back_again_and_again(rows: list[Any], block_bytes: int, end: str, last: bool) -> None:
    come_back(rows, block_bytes, end, last)


def come_back(rows: list[Any], block_bytes: int, end: str, last: bool) -> None:
    content = end.join(json.dumps(row) for row in rows) + (end if last else "")
    assert [row.values for row in read(content)] == rows
    blocks = list(read_line_blocks(io.BytesIO(content.encode()), block_bytes))
    assert sum(count(block) for block in blocks) == len(rows)
    assert [block.first_row for block in blocks] == [1 + sum(map(count, blocks[:n])) for n in range(len(blocks))]


@given(OBJECTS)
def test_what_is_written_is_read(rows: list[Any]) -> None:
    out = io.BytesIO()
    writer = NdjsonWriter(out)
    writer.write([json.dumps(row).encode() for row in rows])
    writer.end()
    assert [row.values for row in read(out.getvalue().decode())] == rows
    assert out.getvalue().endswith(b"\n")


def test_numbers_keep_every_digit() -> None:
    assert read('{"a": 45.820}\n')[0].values == {"a": Decimal("45.820")}


def test_a_bad_line_is_a_fault_of_its_row_alone() -> None:
    rows = read('{"a": 1}\n\n{"a": \n[1]\n{"a": 2}')
    assert [(row.number, row.line, row.fault and row.fault.code) for row in rows] == [
        (1, 1, None),
        (2, 3, "malformed_row"),
        (3, 4, "not_an_object"),
        (4, 5, None),
    ]


def test_one_object_over_many_lines_is_told_as_such() -> None:
    with pytest.raises(UnreadableFile) as caught:
        read('{\n  "a": 1\n}\n')
    assert "an object a line" in caught.value.detail
