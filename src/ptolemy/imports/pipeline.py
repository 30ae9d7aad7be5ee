"""A file as batches, and a batch into the database: what an import does over and over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Protocol, TypeVar

from ptolemy.database.pool import Database
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import trees
from ptolemy.engine.resource import Resource
from ptolemy.engine.write import Write, save_each
from ptolemy.formats.rows import FileRow
from ptolemy.imports.keys import RowKey
from ptolemy.imports.progress import Outcome
from ptolemy.imports.row_errors import RowError, row_errors
from ptolemy.imports.rows import Form, RowReader, Taken
from ptolemy.imports.upsert import upsert_each
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.problems import Invalid, Problem

B = TypeVar("B")

_AT_ONCE = 500
_TREE = 1_000_000


class Pipeline(Protocol[B]):
    """How one kind of record goes in. `batches` blocks while it reads: it runs in a thread."""

    def batches(self) -> Iterator[B]: ...

    def rows_in(self, batch: B) -> int: ...

    def begin(self, database: Database, caller: Caller) -> AbstractAsyncContextManager[Transaction]: ...

    async def write(self, tx: Transaction, batch: B) -> Outcome: ...

    async def finish(self, tx: Transaction) -> Outcome:
        """What has waited for the end of the file."""
        ...


class RowPipeline:
    """Row by row through the engine, with all moments of a write; for every resource but the values by the million.

    With a `key` rows change the records that they name, and create those that aren't there.
    """

    def __init__(
        self,
        resource: Resource,
        rows: Iterable[FileRow],
        form: Form,
        key: str | None = None,
        *,
        reader: type[RowReader] = RowReader,
    ) -> None:
        """Raises `Invalid` for a `key` that names no record of the resource."""
        self._resource, self._rows = resource, iter(rows)
        self._reader = reader(resource, form)
        self.key = RowKey(resource, key, self._reader) if key else None

    def batches(self) -> Iterator[Sequence[Taken]]:
        # A child may stand before its parent in the file, so a tree is taken whole.
        at_once = _TREE if trees.own_reference(type(self._resource)) else _AT_ONCE
        while batch := self.read(islice(self._rows, at_once)):
            yield batch

    def read(self, rows: Iterable[FileRow]) -> Sequence[Taken]:
        """What rows say: for the thread that reads, while the rows before are written."""
        return [self._reader.read(row) for row in rows]

    def rows_in(self, batch: Sequence[Taken]) -> int:
        return len(batch)

    def begin(self, database: Database, caller: Caller) -> AbstractAsyncContextManager[Transaction]:
        return database.transaction(caller)

    async def write(self, tx: Transaction, batch: Sequence[Taken]) -> Outcome:
        rows = [taken for taken in batch if not taken.row.fault]
        written = {id(taken): each for taken, each in zip(rows, await self._written(tx, rows), strict=True)}
        created = updated = unchanged = 0
        errors: list[RowError] = []
        for taken in batch:
            if taken.row.fault:
                errors += row_errors(taken.row, Invalid(taken.row.fault))
                continue
            write, answer = written[id(taken)]
            if isinstance(answer, Problem):
                errors += row_errors(taken.row, answer)
            elif write.old is None:
                created += 1
            elif answer is not write.old:
                updated += 1
            else:
                unchanged += 1
        return Outcome(len(batch), created, errors, updated, unchanged)

    async def finish(self, tx: Transaction) -> Outcome:
        return Outcome(0, 0)

    async def _written(self, tx: Transaction, rows: Sequence[Taken]) -> Sequence[tuple[Write, Row | Problem]]:
        if self.key:
            return await upsert_each(tx, self._resource, self._reader, self.key, rows)
        writes = [self._reader.creation(taken) for taken in rows]
        return list(zip(writes, await save_each(tx, self._resource, writes), strict=True))


async def ahead(batches: Iterator[B]) -> AsyncGenerator[B, None]:
    """The batches, the next one being read in a thread while this one is written; to be closed before the file is."""
    end = object()
    reading = asyncio.create_task(asyncio.to_thread(next, batches, end))
    try:
        while (batch := await reading) is not end:
            reading = asyncio.create_task(asyncio.to_thread(next, batches, end))
            yield batch  # type: ignore[misc] # not the end, so a batch
    finally:
        # A thread can't be cancelled: leave only when it has let go of the file.
        await asyncio.wait([reading])
