"""Scalar values exported by columns: the bytes of the row by row export, at nearly the speed of COPY itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import BinaryIO

from ptolemy.database.sql import Sql, numbered
from ptolemy.database.transaction import Transaction
from ptolemy.engine.interchange import CustomFields
from ptolemy.exports.cells import NumberTypes
from ptolemy.exports.columns.shape import DELIMITER, NULL, PICKED, CsvShape, JsonShape, ParquetShape, Shape
from ptolemy.formats.detection import Format

_BLOCK_BYTES = 2 << 20


async def export_values(
    tx: Transaction,
    out: BinaryIO,
    shape: Shape,
    wanted: Sql,
    *,
    each_block: Callable[[int], None] = lambda rows: None,
) -> int:
    """Writes the wanted values in order of id and answers how many; `tx` is a snapshot.

    `wanted` is a condition on the table, `workspace_id` included. `each_block` hears the count of rows so far; what it
    raises ends the export.
    """
    select = Sql(f"select {PICKED} from time_series_values where {wanted.text} order by id", wanted.args)
    writer = _Writer(shape, out, each_block)
    await asyncio.to_thread(shape.begin, out)
    try:
        await tx.driver.copy_from_query(
            numbered(select.text),
            *select.args,
            output=writer.take,
            format="csv",
            delimiter=DELIMITER,
            quote="\x01",
            null=NULL,
        )
        await writer.flush()
    finally:
        await writer.settle()
    await asyncio.to_thread(shape.end, out)
    return writer.rows


async def shape_of(tx: Transaction, file_format: Format, custom: CustomFields, numbers: NumberTypes) -> Shape:
    """How values are written; the names of instruments and series are those of the snapshot."""
    names = {}
    for table in ("instruments", "series"):
        found = await tx.rows(Sql.of(f"select id, identifier from {table} where workspace_id = ?", tx.workspace_id))
        names[table] = {str(row["id"]): row["identifier"] for row in found}
    known = names["instruments"], names["series"], custom
    if file_format == "csv":
        return CsvShape(*known)
    if file_format == "parquet":
        return ParquetShape(*known, numbers)
    return JsonShape(*known, lines=file_format == "ndjson")


class _Writer:
    """Gathers whole lines; a thread shapes and writes one block while the next arrives."""

    def __init__(self, shape: Shape, out: BinaryIO, each_block: Callable[[int], None]) -> None:
        self._shape, self._out, self._each_block = shape, out, each_block
        self._pending: list[bytes] = []
        self._size, self.rows = 0, 0
        self._writing: asyncio.Task[int] | None = None

    async def take(self, chunk: bytes) -> None:
        self._pending.append(chunk)
        self._size += len(chunk)
        if self._size >= _BLOCK_BYTES:
            await self._hand_over()

    async def flush(self) -> None:
        """Everything that was taken is written."""
        await self._hand_over()
        await self._written()

    async def settle(self) -> None:
        """A thread can't be cancelled: leave only when it has let go of the file."""
        if self._writing:
            await asyncio.wait([self._writing])

    async def _hand_over(self) -> None:
        await self._written()
        content = b"".join(self._pending)
        end = content.rfind(b"\n") + 1
        self._pending, self._size = [content[end:]], len(content) - end
        if end:
            self._writing = asyncio.create_task(asyncio.to_thread(self._shape_and_write, content[:end]))

    async def _written(self) -> None:
        if self._writing:
            writing, self._writing = self._writing, None
            self.rows += await writing
            self._each_block(self.rows)

    def _shape_and_write(self, lines: bytes) -> int:
        return self._shape.write(self._out, lines)
