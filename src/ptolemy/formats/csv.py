"""CSV (RFC 4180) in UTF-8: a header, then a row a record; an empty cell is null."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Protocol

from ptolemy.formats.detection import BOM
from ptolemy.formats.rows import MAX_ROW_BYTES, FileRow, UnreadableFile
from ptolemy.kernel.problems import FieldError

_GUARDED = re.compile(r"'*([=+\-@\t\r]|\Z)")
_QUOTED = re.compile(r'[",\r\n]')

csv.field_size_limit(MAX_ROW_BYTES)


class LineSource(Protocol):
    def readline(self, size: int = -1, /) -> bytes: ...


def guard(text: str | None) -> str | None:
    """A text as its cell: one more `'` in front of what a spreadsheet would run, and of an empty text.

    So an empty text is told from null. For text columns only: numbers and timestamps are never escaped.
    """
    return "'" + text if text is not None and _GUARDED.match(text) else text


def unguard(cell: str | None) -> str | None:
    """The text that `guard` wrote into a cell."""
    return cell[1:] if cell is not None and cell.startswith("'") and _GUARDED.match(cell) else cell


def quoted(cell: str) -> str:
    """A cell as it stands in the file."""
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell


class CsvReader:
    """The rows of a CSV file: `columns` are known at once, then iterate, once.

    Bad quoting and a wrong number of cells are faults of their row. `UnreadableFile` for a bad header, and for bytes
    that are not UTF-8 text. Blank lines are no rows.
    """

    def __init__(
        self, source: LineSource, columns: Sequence[str] | None = None, first_line: int = 1, first_row: int = 1
    ) -> None:
        """With `columns` the source has no header: it goes on within a file, at that line and row."""
        self._first_line, self._first_row = first_line, first_row
        self._reader = csv.reader(_lines(source, first_line), strict=True)
        self.columns: Sequence[str] = columns or self._header()

    def __iter__(self) -> Iterator[FileRow]:
        columns, width = self.columns, len(self.columns)
        number, line = self._first_row - 1, self._first_line + self._reader.line_num
        while (cells := self._next()) is not None:
            if isinstance(cells, list) and len(cells) == width:
                number += 1
                yield FileRow(number, line, dict(zip(columns, [cell or None for cell in cells], strict=True)))
            elif cells:
                number += 1
                yield FileRow(number, line, {}, _fault(cells, width))
            line = self._first_line + self._reader.line_num

    def _next(self) -> list[str] | str | None:
        """The next record's cells, why it can't be read, or None at the end."""
        try:
            return next(self._reader)
        except StopIteration:
            return None
        except csv.Error as error:
            return str(error)

    def _header(self) -> Sequence[str]:
        columns: list[str] | str | None = []
        while columns == []:
            columns = self._next()
        if columns is None:
            raise UnreadableFile("empty_file", "the file is empty: CSV needs a header")
        if isinstance(columns, str):
            raise UnreadableFile("malformed_header", f"the header can't be read: {columns}")
        seen: set[str] = set()
        for column in columns:
            if not column:
                raise UnreadableFile("malformed_header", "the header has a column without a name: name or remove it")
            if column in seen:
                raise UnreadableFile("duplicate_column", f"the header names the column {column} twice: remove one")
            seen.add(column)
        return columns


class CsvWriter:
    """Writes the header at once, then rows; equal rows give equal bytes."""

    def __init__(self, out: BinaryIO, columns: Sequence[str]) -> None:
        self._out = out
        self.write([columns])

    def write(self, rows: Iterable[Sequence[str | None]]) -> None:
        """Cells in the order of the columns; texts have been through `guard`."""
        self._out.write("".join([_record(row) for row in rows]).encode())


def _record(row: Sequence[str | None]) -> str:
    cells = [cell or "" for cell in row]
    line = ",".join(cells)
    if line.count(",") == len(cells) - 1 and '"' not in line and "\n" not in line and "\r" not in line and line:
        return line + "\n"
    # A blank line would be no row: a lone empty cell is quoted.
    return (",".join([quoted(cell) for cell in cells]) or '""') + "\n"


def _fault(cells: list[str] | str, width: int) -> FieldError:
    if isinstance(cells, str):
        return FieldError("", "malformed_row", f"the row's quotes don't match: {cells}")
    return FieldError("", "wrong_cell_count", f"the row must have {width} cells like the header, it has {len(cells)}")


def _lines(source: LineSource, first: int) -> Iterator[str]:
    number = first - 1
    while line := source.readline(MAX_ROW_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM)
        if len(line) > MAX_ROW_BYTES:
            raise UnreadableFile("row_too_long", f"line {number} is longer than {MAX_ROW_BYTES:,} bytes")
        if b"\x00" in line:
            raise UnreadableFile("not_text", f"line {number} holds a NUL byte: save the file as UTF-8 text")
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise UnreadableFile(
                "not_utf8", f"line {number} is not UTF-8 (byte {error.start + 1}): save the file as UTF-8"
            ) from None
