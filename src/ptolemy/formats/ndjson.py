"""NDJSON: an object a line, so that a bad line harms no other; numbers exact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from ptolemy.formats.detection import BOM, NO_LINES
from ptolemy.formats.json_array import decode_element, not_an_object
from ptolemy.formats.rows import MAX_ROW_BYTES, FileRow, Portion, UnreadableFile
from ptolemy.kernel.problems import FieldError

_BLANK = b" \t\r\n"


class LinesBlock(NamedTuple):
    """Some whole lines. The first that isn't blank is the file's row `first_row`, and `line` the first of all."""

    first_row: int
    line: int
    content: bytes


def read_ndjson(source: BinaryIO) -> Iterator[FileRow]:
    """The objects in order; a line that is none is a fault of its row. Blank lines are no rows."""
    for block in read_line_blocks(source):
        yield from rows_of(block)


def read_line_blocks(source: BinaryIO, block_bytes: int | None = None) -> Iterator[LinesBlock]:
    """The file cut between lines, each time a portion; what the lines hold is not checked."""
    row, line, pending, portion = 1, 1, b"", Portion(block_bytes)
    while chunk := source.read(portion.bytes):
        content = pending + chunk
        if row == line == 1:
            content = content.removeprefix(BOM)
        end = content.rfind(b"\n") + 1
        pending = content[end:]
        if len(pending) > MAX_ROW_BYTES:
            raise UnreadableFile("row_too_long", f"row {row} or later is longer than {MAX_ROW_BYTES:,} bytes")
        if end:
            block = LinesBlock(row, line, content[:end])
            yield block
            rows = count(block)
            portion.learn(rows, end)
            row, line = row + rows, line + content.count(b"\n", 0, end)
    if pending.strip(_BLANK):
        yield LinesBlock(row, line, pending)


def count(block: LinesBlock) -> int:
    """How many rows a block has."""
    content = block.content
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if content.startswith(b"{") and content.count(b"\n{") == lines - 1:
        return lines
    return sum(1 for line in content.split(b"\n") if line.strip(_BLANK))


def rows_of(block: LinesBlock) -> Iterator[FileRow]:
    number = block.first_row - 1
    for line, content in enumerate(block.content.split(b"\n"), block.line):
        if not content.strip(_BLANK):
            continue
        number += 1
        value = _decoded(content, number)
        if isinstance(value, dict):
            yield FileRow(number, line, value)
        else:
            yield FileRow(number, line, {}, value if isinstance(value, FieldError) else not_an_object(value))


def _decoded(content: bytes, row: int) -> object:
    try:
        return decode_element(content, row)
    except UnreadableFile as reason:
        if row == 1:
            # Most likely one object over many lines: no row of it could be read.
            raise UnreadableFile(
                "malformed_json", f"a file that begins with {{ must have an object a line: {reason.detail}"
            ) from None
        return FieldError("", "malformed_row", reason.detail)


class NdjsonWriter:
    """Writes an object a line; close it with `end`. Objects come as JSON, without a line break."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._empty = out, True

    def write(self, encoded: Iterable[bytes]) -> None:
        if body := b"\n".join(encoded):
            self._out.write(body + b"\n")
            self._empty = False

    def end(self) -> None:
        if self._empty:
            self._out.write(NO_LINES)
