"""A file as batches, and a batch into the database: what an import does over and over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
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
from ptolemy.plans import item_quota

B = TypeVar("B")

_AT_ONCE = 500
_TREE = 1_000_000


class Pipeline(Protocol[B]):
    """How one kind of record goes in. `batches` blocks while it reads: it runs in a thread."""

    def batches(self) -> Iterator[B]: ...

    def rows_in(self, batch: B) -> int: ...

    def begin(self, database: Database, caller: Caller) -> AbstractAsyncContextManager[Transaction]: ...

    async def write(self, tx: Transaction, batch: B, room: int | None = None) -> Outcome:
        """Writes what can go in; with `room`, no more items than that: the rows beyond it fail."""

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

    async def write(self, tx: Transaction, batch: Sequence[Taken], room: int | None = None) -> Outcome:
        rows = [taken for taken in batch if not taken.row.fault]
        if room is None:
            written = dict(zip(map(id, rows), await self._written(tx, rows), strict=True))
        else:
            written = await self._written_within(tx, rows, room)
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

    async def _written_within(
        self, tx: Transaction, rows: Sequence[Taken], room: int
    ) -> dict[int, tuple[Write, Row | Problem]]:
        """By `id` of the row. How many items each makes is known once all are written: then without those beyond."""
        refused: dict[int, tuple[Write, Row | Problem]] = {}
        while True:
            kept = [taken for taken in rows if id(taken) not in refused]
            try:
                async with tx.savepoint():
                    written = dict(zip(map(id, kept), await self._written(tx, kept), strict=True))
                    if beyond := self._beyond(written, room):
                        raise _Beyond(beyond)
                return written | refused
            except _Beyond as found:
                problem = await item_quota.exceeded(tx)
                refused |= {
                    id(taken): (self._reader.creation(taken), problem) for taken in kept if id(taken) in found.rows
                }

    def _beyond(self, written: Mapping[int, tuple[Write, Row | Problem]], room: int) -> set[int]:
        beyond = set()
        for row, (write, answer) in written.items():
            if isinstance(answer, Problem) or answer is write.old:
                continue
            items = self._items(answer) - (self._items(write.old) if write.old else 0)
            if items > room:
                beyond.add(row)
            else:
                room -= items
        return beyond

    def _items(self, row: Row) -> int:
        return sum(self._resource.items_in(row).values())


class _Beyond(Exception):
    """Undoes a batch in which these rows, by their `id`, are beyond the room there is."""

    def __init__(self, rows: set[int]) -> None:
        self.rows = rows


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


async def checked(pipeline: Pipeline[B], check_in: Callable[[], None]) -> AsyncGenerator[B, None]:
    """The batches of a pipeline, `check_in` being asked before each; to be closed, like `ahead`, before the file is."""
    async with aclosing(ahead(pipeline.batches())) as batches:
        async for batch in batches:
            check_in()
            yield batch
