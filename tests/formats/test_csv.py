"""CSV: what is written is read back, and what is wrong is told where it is."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptolemy.formats.csv import CsvReader, CsvWriter, guard, unguard
from ptolemy.formats.rows import MAX_ROW_BYTES, FileRow, UnreadableFile

TEXTS = st.text(st.one_of(st.sampled_from("'=+-@\t\r\n\",; a"), st.characters(exclude_characters="\0", codec="utf-8")))


def read(content: bytes | str) -> list[FileRow]:
    return list(CsvReader(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def written(columns: list[str], rows: list[list[str | None]]) -> bytes:
    out = io.BytesIO()
    CsvWriter(out, columns).write(rows)
    return out.getvalue()


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(st.none() | TEXTS, min_size=width, max_size=width))))
def test_texts_and_nulls_come_back_as_they_were_written(rows: list[list[str | None]]) -> None:
    columns = [f"c{i}" for i in range(len(rows[0]) if rows else 1)]
    content = written(columns, [[guard(cell) for cell in row] for row in rows])
    assert [[unguard(cell) for cell in row.values.values()] for row in read(content)] == rows


@given(TEXTS)
def test_a_guarded_cell_never_begins_with_what_a_spreadsheet_runs(text: str) -> None:
    cell = guard(text)
    assert cell is not None
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r", ""}


@pytest.mark.parametrize(
    ("text", "cell"), [("=1+1", "'=1+1"), ("", "'"), ("'", "''"), ("'@a", "''@a"), ("o'k", "o'k"), ("'a", "'a")]
)
def test_the_guard_is_one_more_apostrophe(text: str, cell: str) -> None:
    assert (guard(text), unguard(cell)) == (cell, text)


def test_an_empty_cell_is_null() -> None:
    assert read('a,b\n,""\n')[0].values == {"a": None, "b": None}


def test_bom_crlf_and_quoted_newlines_are_read() -> None:
    rows = read(b'\xef\xbb\xbfa,b\r\n"x\r\ny",1\r\nz,2\r\n')
    assert [(row.number, row.line, dict(row.values)) for row in rows] == [
        (1, 2, {"a": "x\r\ny", "b": "1"}),
        (2, 4, {"a": "z", "b": "2"}),
    ]


def test_a_wrong_number_of_cells_is_a_fault_of_its_row_alone() -> None:
    rows = read("a,b\n1,2\n1\n\n1,2,3\n3,4\n")
    assert [(row.number, row.line, row.fault and row.fault.code) for row in rows] == [
        (1, 2, None),
        (2, 3, "wrong_cell_count"),
        (3, 5, "wrong_cell_count"),
        (4, 6, None),
    ]


@pytest.mark.parametrize("row", ['"a"b,1', '"never closed,1'])
def test_quotes_that_do_not_match_are_a_fault_of_their_row(row: str) -> None:
    fault = read(f"a,b\n{row}\n")[0].fault
    assert fault
    assert fault.code == "malformed_row"


def test_a_quote_that_is_never_closed_does_not_fill_the_memory() -> None:
    line = b"x" * 999 + b"\n"
    rows = read(b'a\n"' + line * (MAX_ROW_BYTES // len(line) + 10))
    assert rows[0].fault


def test_a_header_may_have_very_many_columns() -> None:
    columns = [f"c{number}" for number in range(200_000)]
    assert CsvReader(io.BytesIO(",".join(columns).encode())).columns == columns


@pytest.mark.parametrize(
    ("content", "code", "where"),
    [
        (b"a,b\n1,2\n\xff,2\n", "not_utf8", "line 3"),
        (b"a,b\n1,\x002\n", "not_text", "line 2"),
        (b"a,b,a\n", "duplicate_column", "column a"),
        (b"a,,b\n", "malformed_header", "without a name"),
        (b"\n\n", "empty_file", "header"),
        (b"a\n" + b"x" * (MAX_ROW_BYTES + 1), "row_too_long", "line 2"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(content: bytes, code: str, where: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(content)
    assert caught.value.code == code
    assert where in caught.value.detail
