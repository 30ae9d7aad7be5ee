"""JSON arrays: any layout, exact numbers, whole elements only."""

import io
import json
import tracemalloc
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptolemy.formats.json_array import JsonWriter, decode_element, elements, read_blocks, read_json
from ptolemy.formats.rows import MAX_ROW_BYTES, FileRow, UnreadableFile

TEXTS = st.text(st.one_of(st.sampled_from('\\"{}[],: \n'), st.characters(codec="utf-8")), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
LAYOUTS = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}])


def read(content: bytes | str) -> list[FileRow]:
    return list(read_json(io.BytesIO(content.encode() if isinstance(content, str) else content)))


@given(st.lists(VALUES, max_size=6), LAYOUTS, st.integers(1, 40))
def test_blocks_hold_every_element_once_and_in_order(rows: list[Any], layout: Any, block_bytes: int) -> None:
    content = json.dumps(rows, **layout).encode()
    blocks = list(read_blocks(io.BytesIO(content), msgspec.json.decode, block_bytes))
    assert [json.loads(element) for block in blocks for element in elements(block.content)] == rows
    firsts = [sum(len(json.loads(before.content)) for before in blocks[:i]) + 1 for i in range(len(blocks))]
    assert [block.first_row for block in blocks] == firsts


@given(st.lists(st.dictionaries(TEXTS, VALUES, max_size=4)), LAYOUTS)
def test_objects_are_read_as_they_were_written(rows: list[dict[str, Any]], layout: Any) -> None:
    assert [row.values for row in read(json.dumps(rows, **layout))] == rows


def test_numbers_keep_every_digit() -> None:
    digits = "9" * 60
    assert read(f'[{{"a": 45.820, "b": {digits}, "c": 1e-40, "d": {digits}.10}}]')[0].values == {
        "a": Decimal("45.820"),
        "b": int(digits),
        "c": Decimal("1e-40"),
        "d": Decimal(digits + ".10"),
    }
    assert str(read('[{"a": 45.820}]')[0].values["a"]) == "45.820"


def test_an_element_that_is_no_object_is_a_fault_of_its_row_alone() -> None:
    rows = read('[{"a": 1}, 5, [{}], "x", null, {"a": 2}]')
    assert [(row.number, row.fault and row.fault.code) for row in rows] == [
        (1, None),
        (2, "not_an_object"),
        (3, "not_an_object"),
        (4, "not_an_object"),
        (5, "not_an_object"),
        (6, None),
    ]


@pytest.mark.parametrize("content", ["[]", "\ufeff \n[ \n ]\n", "[\n]\n"])
def test_an_empty_array_has_no_rows(content: str) -> None:
    assert read(content) == []


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        ('[{"a": 1}, {"a"', "truncated_json", "row 2"),
        ('[{"a": 1},', "truncated_json", "row 2"),
        ("[", "truncated_json", "row 1"),
        ('{"a": 1}', "not_an_array", "one array"),
        ("", "not_an_array", "one array"),
        ('[{"a": 1}] x', "malformed_json", "line 1"),
        ('[{"a": 1}]\n[]', "malformed_json", "follows"),
        ('[{"a": 1},]', "malformed_json", "row 2"),
        ("[,]", "malformed_json", "row 1"),
        ('[{"a": 1},,{"a": 2}]', "malformed_json", "row 2"),
        ('[{"a": 1} {"a": 2}]', "malformed_json", "row 1"),
        ('[{"a": 1}}', "malformed_json", "brace"),
        ('[{"a": NaN}]', "malformed_json", "row 1"),
        ('[{"a": "\\ud800"}]', "malformed_json", "row 1"),
        (b'[{"a": "\xff"}]', "malformed_json", "row 1"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(content: bytes | str, code: str, where: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(content)
    assert caught.value.code == code
    assert where in caught.value.detail


@pytest.mark.parametrize("cut_at", range(1, 9))
def test_a_missing_element_is_refused_wherever_the_file_is_cut_into_blocks(cut_at: int) -> None:
    with pytest.raises(UnreadableFile):
        for block in read_blocks(io.BytesIO(b"[{},,,{}]"), msgspec.json.decode, cut_at):
            for element in elements(block.content):
                decode_element(element, block.first_row)


def test_nesting_beyond_reason_is_a_fault_of_its_row() -> None:
    rows = read('[{"a": ' + "[" * 5000 + "]" * 5000 + '}, {"a": 1}]')
    assert [row.fault and row.fault.code for row in rows] == ["too_deep", None]


def test_rows_before_a_malformed_one_are_read() -> None:
    rows = read_json(io.BytesIO(b'[{"a": 1}, {"a": 2}, {"a" 3}]'))
    assert [next(rows).number, next(rows).number] == [1, 2]
    with pytest.raises(UnreadableFile):
        next(rows)


def test_an_element_of_more_than_the_limit_is_refused() -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(b'[{"a": 1}, {"a": "' + b"x" * (MAX_ROW_BYTES + (2 << 20)) + b'"}]')
    assert caught.value.code == "row_too_long"
    assert "row 2" in caught.value.detail


def test_memory_stays_flat_over_a_long_single_line() -> None:
    def peak(thousands: int) -> int:
        tracemalloc.start()
        content = b"[" + b'{"identifier":"aapl","name":"x{[,]}","value":"12.5"},' * 1000 * thousands + b"{}]"
        tracemalloc.reset_peak()
        for _ in read_blocks(io.BytesIO(content), msgspec.json.decode):
            pass
        size = tracemalloc.get_traced_memory()[1] - len(content)
        tracemalloc.stop()
        return size

    assert peak(400) < peak(100) * 1.2


@given(st.lists(st.binary(min_size=1, max_size=4).map(lambda raw: json.dumps({"a": raw.hex()}).encode()), max_size=4))
def test_the_writer_puts_one_element_a_line(rows: list[bytes]) -> None:
    out = io.BytesIO()
    writer = JsonWriter(out)
    writer.write(rows[:1])
    writer.write(rows[1:])
    writer.end()
    assert out.getvalue() == (b"[\n" + b",\n".join(rows) + b"\n]\n" if rows else b"[\n]\n")
