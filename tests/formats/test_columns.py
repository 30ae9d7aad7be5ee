"""CSV by columns reads what CSV by rows reads, faults included."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ptolemy.formats.columns import read_csv_columns
from ptolemy.formats.csv import CsvReader
from ptolemy.formats.rows import FileRow, UnreadableFile

CELLS = st.text(st.sampled_from('ab1",\n\r =é'), max_size=4)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8)


def by_columns(content: bytes, block_bytes: int) -> list[FileRow]:
    _, blocks = read_csv_columns(io.BytesIO(content), block_bytes)
    found: list[FileRow] = []
    for block in blocks:
        assert block.first_row == len(found) + 1
        names, numbers = list(block.columns), block.numbers.tolist()
        cells = zip(*[block.columns[name].to_pylist() for name in names], strict=True)
        sound = [
            FileRow(number, line, dict(zip(names, row, strict=True)))
            for number, line, row in zip(numbers, block.lines(numbers), cells, strict=True)
        ]
        found += sorted([*sound, *block.faults], key=lambda row: row.number)
        assert len(found) == block.first_row - 1 + block.count
    return found


def same(content: bytes, block_bytes: int) -> None:
    try:
        expected = list(CsvReader(io.BytesIO(content)))
    except UnreadableFile as problem:
        with pytest.raises(UnreadableFile) as caught:
            by_columns(content, block_bytes)
        assert (caught.value.code, caught.value.detail) == (problem.code, problem.detail)
    else:
        assert by_columns(content, block_bytes) == expected


@given(ROWS, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.integers(1, 60))
def test_well_formed_files_read_alike(rows: list[list[str]], end: str, quoting: int, block_bytes: int) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]  # typed as a literal
    writer.writerow(["a", "b"])
    writer.writerows(rows)
    same(text.getvalue().encode(), block_bytes)


@given(st.lists(st.text(st.sampled_from('ab1",\n\r é'), max_size=12), max_size=8), st.integers(1, 60))
@example(['x,"y"z', 'a,"b', 'c",d'], 7)
@example(['a,12"5', 'b,"x"'], 4)
@example(['1"1,"', ""], 10)
def test_files_of_any_form_read_alike(lines: list[str], block_bytes: int) -> None:
    same("\n".join(["a,b", *lines]).encode(), block_bytes)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"a,b", b"\xef\xbb\xbfa,b\n1,2", b"\na,b\n1,2\n", b'"a","b"\n1,2\n', b"a,a\n", b"a,b\r1,2\r"],
)
def test_headers_of_any_form_read_alike(content: bytes) -> None:
    same(content, 1 << 20)


@pytest.mark.parametrize("bad", [b"\xff", b"\x00"])
def test_what_is_not_text_is_told_with_its_line(bad: bytes) -> None:
    same(b"a,b\n" + b"1,2\n" * 100 + bad + b",2\n" + b"1,2\n" * 100, 64)
