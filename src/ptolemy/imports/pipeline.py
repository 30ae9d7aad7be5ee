"""A file as batches, and a batch into the database: what an import does over and over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Protocol, TypeVar

from ptolemy.database.pool import Database
from ptolemy.database.transaction import Transaction
from ptolemy.engine import trees, write
from ptolemy.engine.resource import Resource
from ptolemy.formats.rows import FileRow
from ptolemy.imports.progress import Outcome
from ptolemy.imports.row_errors import RowError, row_errors
from ptolemy.imports.rows import RowReader
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


class RowPipeline:
    """Row by row through the engine, with all moments of a write; for every resource but the values by the million."""

    def __init__(self, resource: Resource, rows: Iterable[FileRow], *, cells: bool) -> None:
        self._resource, self._rows = resource, iter(rows)
        self._reader = RowReader(resource, cells=cells)

    def batches(self) -> Iterator[Sequence[FileRow]]:
        # A child may stand before its parent in the file, so a tree is taken whole.
        at_once = _TREE if trees.own_reference(type(self._resource)) else _AT_ONCE
        while batch := list(islice(self._rows, at_once)):
            yield batch

    def rows_in(self, batch: Sequence[FileRow]) -> int:
        return len(batch)

    def begin(self, database: Database, caller: Caller) -> AbstractAsyncContextManager[Transaction]:
        return database.transaction(caller)

    async def write(self, tx: Transaction, batch: Sequence[FileRow]) -> Outcome:
        unread = {row.number: Invalid(row.fault) for row in batch if row.fault}
        rows = [row for row in batch if not row.fault]
        stored = await write.save_each(tx, self._resource, [self._reader.write(row) for row in rows])
        answers = unread | {row.number: answer for row, answer in zip(rows, stored, strict=True)}
        errors: list[RowError] = []
        for row in batch:
            if isinstance(answer := answers[row.number], Problem):
                errors += row_errors(row, answer)
        failed = sum(isinstance(answer, Problem) for answer in answers.values())
        return Outcome(len(batch), len(batch) - failed, errors)


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
