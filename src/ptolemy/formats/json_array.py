"""A JSON file (RFC 8259) of one array of objects: read in blocks of whole elements, numbers exact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec
import numpy as np

from ptolemy.formats.detection import BOM
from ptolemy.formats.rows import MAX_ROW_BYTES, FileRow, Portion, UnreadableFile
from ptolemy.kernel.problems import FieldError

_BLANK = b" \t\r\n"
_QUOTE, _OPEN, _CLOSE, _COMMA = 1, 2, 3, 4
_KINDS = bytes(
    {34: _QUOTE, 91: _OPEN, 123: _OPEN, 93: _CLOSE, 125: _CLOSE, 44: _COMMA}.get(byte, 0) for byte in range(256)
)
_DEEPER = np.array([0, 0, 1, -1, 0], dtype=np.int64)
_ELEMENT = msgspec.json.Decoder(float_hook=Decimal)
_ELEMENTS = msgspec.json.Decoder(list[Any], float_hook=Decimal)
_UNREAD = msgspec.json.Decoder(list[msgspec.Raw])
_BETWEEN = (b"},\n{", b"},{", b"}, {", b"},\r\n{", b"},\n  {")
_GUESSES = 6
"""How often to look further left: in a file of one line the last such comma may lie inside of an object."""


T = TypeVar("T")
Decode = Callable[[bytes], list[T]]


@dataclass(frozen=True)
class JsonBlock(Generic[T]):
    """Some whole elements: `content` is an array. The first is the file's row `first_row`."""

    first_row: int
    line: int
    content: bytes
    rows: list[T] | None
    """The elements decoded, or None where one of them can't be."""


def read_json(source: BinaryIO) -> Iterator[FileRow]:
    """The elements in order; a number with a point or an exponent is a `Decimal`, one without an `int` of any length.

    An element that is no object is a fault of its row. `UnreadableFile`, after the rows before, for what is not JSON.
    """
    for block in read_blocks(source, _ELEMENTS.decode):
        for number, element in enumerate(_decoded(block), block.first_row):
            if isinstance(element, dict):
                yield FileRow(number, None, element)
            else:
                yield FileRow(number, None, {}, element if isinstance(element, FieldError) else not_an_object(element))


def read_blocks(source: BinaryIO, decode: Decode[T], block_bytes: int | None = None) -> Iterator[JsonBlock[T]]:
    """The array cut between elements, each time a portion, and decoded where msgspec takes it."""
    portion = Portion(block_bytes)
    content, line = _opening(source, portion.bytes)
    row = 1
    while found := _quick_cut(content, decode):
        array, rows, count = found
        yield JsonBlock(row, line, array, rows)
        row, line = row + count, line + array.count(b"\n")
        # Its brackets are two more bytes, the comma behind it is one.
        cut = len(array) - 2
        portion.learn(count, cut)
        content = content[cut + 1 :] + source.read(portion.bytes)
    yield from _by_structure(content, source, decode, portion.bytes, row, line)


def _quick_cut(content: bytes, decode: Decode[T]) -> tuple[bytes, list[T] | None, int] | None:
    """The array up to a comma between two objects, its rows and their number: a likely place, proved by reading it.

    Following every bracket costs more than all else that is done with most files.
    """
    for mark in _BETWEEN:
        end = len(content)
        for _ in range(_GUESSES):
            end = content.rfind(mark, 0, end)
            if end < 0:
                break
            array = b"".join((b"[", memoryview(content)[: end + 1], b"]"))
            rows = decoded_if_sound(array, decode)
            elements = rows if rows is not None else decoded_if_sound(array, _UNREAD.decode)
            if elements is not None:
                return array, rows, len(elements)
    return None


def decoded_if_sound(content: bytes, decode: Decode[T]) -> list[T] | None:
    """None where a row is not what `decode` takes, or no JSON."""
    try:
        return decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _by_structure(
    content: bytes, source: BinaryIO, decode: Decode[T], block_bytes: int, row: int, line: int
) -> Iterator[JsonBlock[T]]:
    """The rest of the array, from the beginning of an element, cut where its brackets say so."""
    structure, pending = _Structure(), b""
    for chunk in _chunks(content, source, block_bytes):
        commas, end = structure.feed(chunk)
        if end is None and not len(commas):
            pending += chunk
            if len(pending) > MAX_ROW_BYTES:
                raise UnreadableFile("row_too_long", f"row {row} (line {line}) is longer than {MAX_ROW_BYTES:,} bytes")
            continue
        cut = int(commas[-1]) if end is None else end
        body = pending + chunk[:cut]
        if body.strip(_BLANK):
            array = b"[" + body + b"]"
            yield JsonBlock(row, line, array, decoded_if_sound(array, decode))
            row += len(commas) + (end is not None)
        elif end is None or row > 1 or len(commas):
            raise UnreadableFile("malformed_json", f"line {line}: a comma of the array has no element beside it")
        line += body.count(b"\n")
        pending = chunk[cut + 1 :]
        if end is not None:
            return _end(chunk[end:], source, line)
    raise UnreadableFile("truncated_json", f"the array isn't closed: the file ends in or after row {row} (line {line})")


def elements(array: bytes) -> Iterator[bytes]:
    """Each element of a block's array by itself, as JSON."""
    body = array[1:-1]
    commas, _ = _Structure().feed(body)
    start = 0
    for end in [*commas.tolist(), len(body)]:
        yield body[start:end]
        start = end + 1


def decode_element(element: bytes, row: int) -> Any:
    """One element's value, or the `FieldError` of its row; `UnreadableFile` where it is not JSON."""
    try:
        return _ELEMENT.decode(element)
    except RecursionError:
        return FieldError("", "too_deep", "the row is nested too deep")
    except msgspec.ValidationError as error:
        return FieldError("", "malformed_row", str(error))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise UnreadableFile("malformed_json", f"row {row} is not valid JSON: {reason}") from None


def not_an_object(element: Any) -> FieldError:
    kind = {list: "an array", str: "a text", bool: "a boolean", type(None): "null"}.get(type(element), "a number")
    return FieldError("", "not_an_object", f"the row must be an object, it is {kind}")


class JsonWriter:
    """Writes one array, an element a line; close it with `end`. Elements come as JSON, without a line break."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._separator = out, b"[\n"

    def write(self, encoded: Iterable[bytes]) -> None:
        if body := b",\n".join(encoded):
            self._out.write(self._separator + body)
            self._separator = b",\n"

    def end(self) -> None:
        self._out.write(b"[\n]\n" if self._separator == b"[\n" else b"\n]\n")


class _Structure:
    """Follows strings and brackets through the chunks of an array's inside, a chunk at a time by columns."""

    def __init__(self) -> None:
        self._in_text, self._depth = False, 0

    def feed(self, chunk: bytes) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int | None]:
        """Where this chunk's commas between elements are, and where the array closes if it does."""
        if b"\\" in chunk:
            # A run of backslashes pairs off from its left, so what is left before a quote escapes it.
            chunk = chunk.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        kind_at = np.frombuffer(chunk.translate(_KINDS), dtype=np.uint8)
        at = np.flatnonzero(kind_at != 0)
        kinds = kind_at[at]
        in_text = np.logical_xor.accumulate(kinds == _QUOTE) ^ self._in_text
        depth = np.where(in_text, 0, _DEEPER[kinds]).cumsum() + self._depth
        commas = at[(kinds == _COMMA) & (depth == 0) & ~in_text]
        closed = np.flatnonzero(depth < 0)
        if len(closed):
            end = int(at[closed[0]])
            return commas[commas < end], end
        if len(at):
            self._in_text, self._depth = bool(in_text[-1]), int(depth[-1])
        return commas, None


def _opening(source: BinaryIO, block_bytes: int) -> tuple[bytes, int]:
    """The first chunk after the array's bracket, and the bracket's line."""
    head, line = source.read(block_bytes).removeprefix(BOM), 1
    while head and not head.strip(_BLANK):
        line += head.count(b"\n")
        head = source.read(block_bytes)
    text = head.lstrip(_BLANK)
    if not text.startswith(b"["):
        raise UnreadableFile("not_an_array", "a JSON file must hold one array of objects: [{…}, {…}]")
    return text[1:], line + head[: len(head) - len(text)].count(b"\n")


def _chunks(first: bytes, source: BinaryIO, block_bytes: int) -> Iterator[bytes]:
    chunk = first or source.read(block_bytes)
    while chunk:
        # Never cut between a backslash and what it escapes.
        while chunk.endswith(b"\\") and (more := source.read(1)):
            chunk += more
        yield chunk
        chunk = source.read(block_bytes)


def _end(rest: bytes, source: BinaryIO, line: int) -> None:
    if not rest.startswith(b"]"):
        raise UnreadableFile("malformed_json", f"line {line}: the array ends with a brace that opens nowhere")
    rest = rest[1:]
    while not rest.strip(_BLANK):
        if not (rest := source.read(64 << 10)):
            return
    raise UnreadableFile("malformed_json", f"something follows the end of the array in line {line}: remove it")


def _decoded(block: JsonBlock[Any]) -> Iterator[Any]:
    if block.rows is not None:
        yield from block.rows
    else:
        for row, element in enumerate(elements(block.content), block.first_row):
            yield decode_element(element, row)
