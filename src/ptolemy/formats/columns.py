"""CSV read by columns: the way for files of millions of rows.

The file is cut into blocks at the ends of rows, and a block is parsed in one go. Where its quoting or its cells are not
plain, `CsvReader` reads the block instead: slower, with every fault at its row.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from ptolemy.formats.csv import CsvReader
from ptolemy.formats.detection import BOM
from ptolemy.formats.rows import MAX_ROW_BYTES, FileRow, Portion

Numbers = np.ndarray[Any, np.dtype[np.int64]]

_SLOW_ROWS = 20_000
_PLAIN = re.compile(rb'(?:(?:"[^"]*"|[^",\r\n]*+)(?:,|\r?\n))*+')
"""Whole rows in which a quote opens its cell and the next one closes it."""


@dataclass(frozen=True)
class ColumnsBlock:
    """Some rows of a file as columns of text; `numbers` are those of the sound rows, in the columns' order."""

    first_row: int
    count: int
    numbers: Numbers
    columns: Mapping[str, pa.Array[Any]]
    faults: Sequence[FileRow]
    """The rows that aren't in the columns, because they can't be read."""
    file_rows: Callable[[], Sequence[FileRow]]
    """All rows again, by rows."""

    line_offset: int | None = None
    """Where every row is one line: the difference between a row's line and its number."""
    has_lines: bool = True
    """Whether rows are told by their lines too: not in JSON."""

    def without(self, column: str) -> ColumnsBlock:
        """The same, lacking a column."""
        return replace(self, columns={name: cells for name, cells in self.columns.items() if name != column})

    def lines(self, numbers: Sequence[int]) -> Sequence[int | None]:
        """Where rows begin, by their numbers; may cost a second reading."""
        if not self.has_lines:
            return [None] * len(numbers)
        if self.line_offset is not None:
            return [number + self.line_offset for number in numbers]
        lines = {row.number: row.line for row in self.file_rows()}
        return [lines[number] for number in numbers]


def read_csv_columns(
    source: BinaryIO, block_bytes: int | None = None, *, only: Callable[[str], bool] = lambda column: True
) -> tuple[Sequence[str], Iterator[ColumnsBlock]]:
    """The header, then the rows in blocks; the same rows, faults and errors as `CsvReader` has.

    `only` says which columns are wanted; others may be missing from the blocks.
    """
    header = source.readline(MAX_ROW_BYTES + 1).removeprefix(BOM)
    if not header.strip(b"\r\n") or b'"' in header or b"\r" in header.rstrip(b"\r\n"):
        reader = CsvReader(_Joined(header, source))
        return reader.columns, _by_rows(reader)
    columns = CsvReader(io.BytesIO(header)).columns
    return columns, _blocks(columns, [column for column in columns if only(column)], source, Portion(block_bytes))


def _blocks(
    columns: Sequence[str], wanted: Sequence[str], source: BinaryIO, portion: Portion
) -> Iterator[ColumnsBlock]:
    row, line, pending = 1, 2, b""
    while chunk := source.read(portion.bytes):
        content = pending + chunk
        end = _last_row_end(content)
        whole_rows = content[:end]
        if not _is_plain(whole_rows) or (not end and len(content) > MAX_ROW_BYTES):
            # What follows can't be cut for sure where a row ends: by rows from here.
            yield from _by_rows(CsvReader(_Joined(content, source), columns, line, row), row)
            return
        pending = content[end:]
        if end:
            lines = whole_rows.count(b"\n")
            block = _block(columns, wanted, whole_rows, row, line, lines)
            yield block
            portion.learn(block.count, end)
            row, line = row + block.count, line + lines
    if pending:
        yield from _by_rows(CsvReader(io.BytesIO(pending), columns, line, row), row)


def _block(
    columns: Sequence[str], wanted: Sequence[str], content: bytes, row: int, line: int, lines: int
) -> ColumnsBlock:
    def file_rows() -> Sequence[FileRow]:
        return list(CsvReader(io.BytesIO(content), columns, line, row))

    table = _parsed(columns, wanted, content)
    if table is None:
        return _from_rows(columns, file_rows(), row)
    numbers = np.arange(row, row + len(table), dtype=np.int64)
    arrays = {name: column.combine_chunks() for name, column in zip(wanted, table.columns, strict=True)}
    offset = line - row if lines == len(table) else None
    return ColumnsBlock(row, len(table), numbers, arrays, (), file_rows, offset)


def _parsed(columns: Sequence[str], wanted: Sequence[str], content: bytes) -> pa.Table | None:
    """The block's cells, or None where rows have to tell what they are."""
    if content.startswith(BOM):
        return None  # a character of the first cell, which the library would take for the beginning of a file
    try:
        return pa_csv.read_csv(
            io.BytesIO(content),
            read_options=pa_csv.ReadOptions(column_names=list(columns), use_threads=False, block_size=len(content) + 1),
            parse_options=pa_csv.ParseOptions(newlines_in_values=b'"' in content),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in columns},
                include_columns=list(wanted),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _last_row_end(content: bytes) -> int:
    """Behind the last line break that stands in no quotes, in plain content; 0 where there is none."""
    end = content.rfind(b"\n") + 1
    quotes = b'"' in content
    while quotes and end and content.count(b'"', 0, end) % 2:
        end = content.rfind(b"\n", 0, end - 1) + 1
    return end


def _is_plain(content: bytes) -> bool:
    """No NUL, no lone carriage return, and every quote opens or closes its cell: both readers understand the same."""
    if b"\x00" in content or (b"\r" in content and content.count(b"\r") != content.count(b"\r\n")):
        return False
    return b'"' not in content or _PLAIN.fullmatch(content) is not None


def _by_rows(reader: CsvReader, row: int = 1) -> Iterator[ColumnsBlock]:
    rows = iter(reader)
    while some := list(islice(rows, _SLOW_ROWS)):
        yield _from_rows(reader.columns, some, row)
        row += len(some)


def _from_rows(columns: Sequence[str], rows: Sequence[FileRow], first_row: int) -> ColumnsBlock:
    sound = [row for row in rows if not row.fault]
    arrays = {name: pa.array([row.values[name] for row in sound], pa.string()) for name in columns}
    numbers = np.array([row.number for row in sound], dtype=np.int64)
    return ColumnsBlock(first_row, len(rows), numbers, arrays, [row for row in rows if row.fault], lambda: rows)


class _Joined:
    """What was read ahead, then the rest."""

    def __init__(self, ahead: bytes, source: BinaryIO) -> None:
        self._ahead, self._source = io.BytesIO(ahead), source

    def readline(self, size: int = -1, /) -> bytes:
        line = self._ahead.readline(size)
        if line.endswith(b"\n") or len(line) == size:
            return line
        return line + self._source.readline(size - len(line) if size >= 0 else size)
