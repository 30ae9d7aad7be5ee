"""Parquet: columns of text on their way in, whatever they were written as; typed columns on their way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ptolemy.formats.columns import ColumnsBlock
from ptolemy.formats.rows import MAX_ROW_BYTES, FileRow, UnreadableFile
from ptolemy.formats.unfolding import unfolds_too_far
from ptolemy.kernel.problems import FieldError

Kind = Literal["text", "number", "boolean", "date", "timestamp", "integer"]
Cells = Any  # an Arrow array of strings
Faults = dict[int, FieldError]
"""What makes rows unreadable, by their place in a batch."""

_AT_ONCE = 20_000
_BLOCK_BYTES = 16 << 20
_GROUP_ROWS, _GROUP_BYTES = 100_000, 32 << 20
_TYPES: Mapping[Kind, pa.DataType] = {
    "text": pa.string(),
    "number": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "integer": pa.int64(),
}


class ParquetReader:
    """The rows of a Parquet file as cells of text: `columns` are known at once, then take `blocks` or iterate, once.

    Numbers come as their shortest text, instants in UTC. `UnreadableFile` names a column that can be no cells: nested
    ones, and timestamps without a time zone. More than `limit_bytes` of content is `TooLarge`.
    """

    def __init__(self, source: BinaryIO, *, limit_bytes: int) -> None:
        self._limit, self._seen = limit_bytes, 0
        with _damage():
            plain = pq.ParquetFile(source, buffer_size=1 << 20, pre_buffer=False)
            _refuse_too_large(plain.metadata, limit_bytes)
            # Texts that lie in the file once each would explode as they are read: first look how long they are.
            repeated = _texts(plain)
            plain.close(force=False)
            source.seek(0)
            self._file = pq.ParquetFile(
                source, buffer_size=1 << 20, pre_buffer=False, read_dictionary=repeated, page_checksum_verification=True
            )
        self.columns: Sequence[str] = self._file.schema_arrow.names
        if len(set(self.columns)) < len(self.columns):
            raise UnreadableFile("duplicate_column", "the file has two columns of the same name: remove one")
        for field in self._file.schema_arrow:
            _refuse(field)

    def __iter__(self) -> Iterator[FileRow]:
        for block in self.blocks():
            yield from block.file_rows()

    def blocks(self, *, only: Callable[[str], bool] = lambda column: True) -> Iterator[ColumnsBlock]:
        """`only` says which columns are wanted."""
        row, batches = 1, self._batches([column for column in self.columns if only(column)])
        while True:
            with _damage():
                batch = next(batches, None)
                if batch is None:
                    return
                # The library trusts the places of repeated texts, and that texts are UTF-8.
                batch.validate(full=True)
            for part in self._parts(batch):
                yield _block(part, row)
                row += len(part)

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Of a few row groups at a time: until their end the library keeps all texts that it has taken for repeated."""
        groups, rows = list[int](), 0
        for number in range(self._file.num_row_groups):
            groups.append(number)
            rows += self._file.metadata.row_group(number).num_rows
            if rows >= _GROUP_ROWS or number == self._file.num_row_groups - 1:
                yield from self._file.iter_batches(_AT_ONCE, row_groups=groups, columns=columns, use_threads=False)
                groups, rows = [], 0

    def _parts(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The batch in pieces that fit into memory as text."""
        lengths = sum((_lengths(column) for column in batch.columns), np.zeros(len(batch), np.int64))
        # A cell costs a byte at least, as in CSV.
        self._seen += int(lengths.sum()) + batch.num_rows * batch.num_columns
        if self._seen > self._limit:
            raise unfolds_too_far("file", self._limit, "split it")
        if lengths.max(initial=0) > MAX_ROW_BYTES:
            raise UnreadableFile("row_too_long", f"a row is longer than {MAX_ROW_BYTES:,} bytes")
        ends = np.flatnonzero(np.diff(lengths.cumsum() // _BLOCK_BYTES)) + 1
        for start, end in zip([0, *ends], [*ends, len(batch)], strict=True):
            if end > start:
                yield batch.slice(start, end - start)


class _Writer(pq.ParquetWriter):  # type: ignore[misc] # the library has no types
    def __del__(self) -> None:
        """One that was given up: its file is closed by then, and the library would complain in the log."""


class ParquetWriter:
    """Writes columns of text as the types of their kinds; close it with `end`."""

    def __init__(self, out: BinaryIO, kinds: Mapping[str, Kind], types: Mapping[str, pa.DataType]) -> None:
        """`types` says how numbers are written that aren't to be texts."""
        chosen = {name: types.get(name, _TYPES[kind]) for name, kind in kinds.items()}
        self._schema = pa.schema(list(chosen.items()))
        self._writer = _Writer(out, self._schema, compression="zstd", write_statistics=False, write_page_checksum=True)
        self._waiting: list[pa.RecordBatch] = []
        self._rows, self._bytes = 0, 0

    def write(self, columns: Sequence[Cells]) -> None:
        """Some rows, a column each, as text: instants in ISO 8601, booleans `true` and `false`."""
        batch = pa.record_batch(
            [pc.cast(cells, field.type) for cells, field in zip(columns, self._schema, strict=True)],
            schema=self._schema,
        )
        self._waiting.append(batch)
        self._rows, self._bytes = self._rows + len(batch), self._bytes + batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._flush()

    def end(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_batches(self._waiting), row_group_size=self._rows)
        self._waiting, self._rows, self._bytes = [], 0, 0


@contextmanager
def _damage() -> Iterator[None]:
    """What the library says of a file it can't read, in the user's words."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else "it can't be read"
        raise UnreadableFile("damaged_parquet", f"the Parquet file is cut or damaged: {reason}") from None


def _refuse_too_large(metadata: pq.FileMetaData, limit_bytes: int) -> None:
    """By what the file says of itself, before anything of it is unpacked; one that lies is stopped as it is read."""
    # The sizes by column would tell more: to ask for them ends the process on a damaged file.
    pages = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if max(pages, metadata.num_rows * metadata.num_columns) > limit_bytes:
        raise unfolds_too_far("file", limit_bytes, "split it")


def _texts(file: pq.ParquetFile) -> list[str]:
    """The columns of text. (Not those kept as dictionaries: to ask for that ends the process on a damaged file.)"""
    return [
        field.name for field in file.schema_arrow if pa.types.is_string(field.type) or pa.types.is_binary(field.type)
    ]


def _refuse(field: pa.Field) -> None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_timestamp(kind) and kind.tz is None:
        raise UnreadableFile(
            "naive_timestamps",
            f"the column {field.name} has timestamps without a time zone: write instants in UTC, and days as dates",
        )
    plain = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary,
        pa.types.is_large_binary, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating,
        pa.types.is_decimal, pa.types.is_date, pa.types.is_timestamp, pa.types.is_null,
    )  # fmt: skip
    if not any(fits(kind) for fits in plain):
        advice = "write text, numbers, booleans, dates or instants, one column a field"
        raise UnreadableFile("unsupported_column", f"the column {field.name} has the type {kind}: {advice}")


def _lengths(column: pa.Array[Any]) -> Any:
    """About how many bytes of text each row has here."""
    if pa.types.is_dictionary(column.type):
        lengths = pc.binary_length(column.dictionary).fill_null(0).to_numpy(zero_copy_only=False)
        if not len(lengths):
            return np.zeros(len(column), np.int64)
        places = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return lengths[places].astype(np.int64)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.full(len(column), 16, np.int64)


def _block(batch: pa.RecordBatch, row: int) -> ColumnsBlock:
    faults: Faults = {}
    with _damage():
        columns = {name: _cells(name, column, faults) for name, column in zip(batch.schema.names, batch, strict=True)}
    numbers = np.arange(row, row + len(batch), dtype=np.int64)
    again = partial(_file_rows, columns, row, len(batch), faults)
    if not faults:
        return ColumnsBlock(row, len(batch), numbers, columns, (), again, has_lines=False)
    sound = np.isin(np.arange(len(batch)), list(faults), invert=True)
    kept = {name: cells.filter(pa.array(sound)) for name, cells in columns.items()}
    unread = [FileRow(row + place, None, {}, fault) for place, fault in sorted(faults.items())]
    return ColumnsBlock(row, len(batch), numbers[sound], kept, unread, again, has_lines=False)


def _cells(name: str, column: pa.Array[Any], faults: Faults) -> Cells:
    """A column as text, with nulls for the cells that are none; `faults` gets those."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _cells(name, column.dictionary_decode(), faults)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _decoded(name, column, faults)
    if pa.types.is_timestamp(kind):
        # As UTC, then without its zone: with it, the library would write an offset of its own form.
        return pc.binary_join_element_wise(column.cast(pa.timestamp(kind.unit)).cast(pa.string()), "Z", "")
    if pa.types.is_date64(kind):
        column = column.cast(pa.date32())
    if pa.types.is_float16(kind):
        column = column.cast(pa.float32())
    return column.cast(pa.string())


def _decoded(name: str, column: pa.Array[Any], faults: Faults) -> Cells:
    """Bytes are text where they are UTF-8."""
    with suppress(pa.ArrowInvalid):
        return column.cast(pa.string())
    texts: list[str | None] = []
    for place, cell in enumerate(column.to_pylist()):
        text = None
        try:
            text = None if cell is None else cell.decode()
        except UnicodeDecodeError:
            faults.setdefault(place, FieldError(name, "not_utf8", "must be text in UTF-8"))
        texts.append(text)
    return pa.array(texts, pa.string())


def _file_rows(columns: Mapping[str, Cells], first: int, count: int, faults: Faults) -> Sequence[FileRow]:
    names, cells = list(columns), [column.to_pylist() for column in columns.values()]
    if not cells:
        return [FileRow(first + place, None, {}) for place in range(count)]
    return [
        FileRow(first + place, None, {}, faults[place])
        if place in faults
        else FileRow(first + place, None, dict(zip(names, row, strict=True)))
        for place, row in enumerate(zip(*cells, strict=True))
    ]
