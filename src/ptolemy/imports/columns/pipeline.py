"""Scalar values as an import job takes them: by columns, and through the engine where custom fields ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import BinaryIO

from ptolemy.database.pool import Database
from ptolemy.database.transaction import Transaction
from ptolemy.engine.resource import Resource
from ptolemy.formats.detection import Format
from ptolemy.formats.rows import UNLIMITED, FileRow
from ptolemy.imports.columns.encode import EncodedBlock, RowsBlock
from ptolemy.imports.columns.loader import ValuesLoader
from ptolemy.imports.pipeline import RowPipeline
from ptolemy.imports.progress import Outcome
from ptolemy.imports.rows import form_of
from ptolemy.kernel.actors import Caller
from ptolemy.plans import item_quota, items

_ROWS_AT_ONCE = 2000


class ValuesPipeline:
    """`loader` has read the names of the workspace in a transaction of its own."""

    def __init__(
        self,
        resource: Resource,
        loader: ValuesLoader,
        source: BinaryIO,
        format: Format,
        *,
        limit_bytes: int = UNLIMITED,
    ) -> None:
        self._resource, self._loader, self._source, self._format = resource, loader, source, format
        self._limit_bytes = limit_bytes
        self._by_rows = RowPipeline(resource, (), form_of(format))

    def batches(self) -> Iterator[EncodedBlock | RowsBlock]:
        return self._loader.blocks(self._source, self._format, limit_bytes=self._limit_bytes)

    def rows_in(self, batch: EncodedBlock | RowsBlock) -> int:
        return batch.count

    def begin(self, database: Database, caller: Caller) -> AbstractAsyncContextManager[Transaction]:
        return database.bulk(caller)

    async def write(self, tx: Transaction, batch: EncodedBlock | RowsBlock, room: int | None = None) -> Outcome:
        if isinstance(batch, RowsBlock):
            return await self._write_rows(tx, batch.rows, room)
        full = None if room is None else await item_quota.exceeded(tx)
        inserted, errors = await self._loader.write(tx, batch, room=room, full=full)
        await items.count(tx, {self._resource.table: inserted} if inserted else {})
        return Outcome(batch.count, inserted, errors)

    async def finish(self, tx: Transaction) -> Outcome:
        return await self._by_rows.finish(tx)

    async def _write_rows(self, tx: Transaction, rows: Sequence[FileRow], room: int | None = None) -> Outcome:
        total = Outcome(0, 0)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            taken = await asyncio.to_thread(self._by_rows.read, rows[start : start + _ROWS_AT_ONCE])
            left = None if room is None else room - total.imported
            total = total.plus(await self._by_rows.write(tx, taken, left))
        return total
