"""Scalar values by the million: read, checked and written by columns, at nearly the speed of COPY itself.

The caller owns the transactions, the progress and what a bad row means for the job. Its loop:

    loader = await ValuesLoader.load(tx)
    for block in loader.blocks(source, "csv", limit_bytes=…):  # in a thread, a block or two ahead
        inserted, errors = await loader.write(tx, block)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import BinaryIO, NamedTuple
from uuid import UUID

import asyncpg
import numpy as np

from ptolemy.database.copying import copy_in
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.formats.detection import Format
from ptolemy.formats.rows import UNLIMITED
from ptolemy.imports.columns.binary import HEADER, TRAILER, Mask, Numbers, Rows
from ptolemy.imports.columns.blocks import read_columns
from ptolemy.imports.columns.conflicts import Claims, repeated, taken_ids, taken_instants
from ptolemy.imports.columns.encode import EncodedBlock, RowsBlock, encode, located
from ptolemy.imports.columns.parents import Parents, load_instruments, load_series
from ptolemy.imports.row_errors import RowError
from ptolemy.kernel.problems import Problem

_COPY_BYTES = 256 << 10
_ATTEMPTS = 5
"""A block meets a race again only when another writer takes an instant between the probe and the copy."""
_SAME_INSTANT = "an active time series value has the same instrument_id and type_id and timestamp"
_SAME_ID = "a time series value with this id exists already"


class Written(NamedTuple):
    """Rows that are in now, and the errors of all others of the block, by row."""

    inserted: int
    errors: Sequence[RowError]


class ValuesLoader:
    """One import of scalar values. `blocks` may run in another thread than `write`."""

    def __init__(
        self, workspace_id: UUID, instruments: Parents, series: Parents, *, staged: bool, by_id: bool = False
    ) -> None:
        self._workspace_id, self._instruments, self._series, self._staged = workspace_id, instruments, series, staged
        self._by_id = by_id
        self._held_in: Transaction | None = None
        self._instruments_held, self._series_held = _Held(instruments), _Held(series)
        self._expects_conflicts = False

    @classmethod
    async def load(cls, tx: Transaction, *, by_id: bool = False) -> ValuesLoader:
        """Reads the names of all instruments and series; a later record is unknown to this import.

        `by_id` says that the name beside an instrument's UUID doesn't count: it may be that of another by now.
        """
        citus = await tx.value(Sql.of("select exists (select from pg_extension where extname = 'citus')"))
        return cls(tx.workspace_id, await load_instruments(tx), await load_series(tx), staged=citus, by_id=by_id)

    def blocks(
        self, source: BinaryIO, format: Format, *, limit_bytes: int = UNLIMITED
    ) -> Iterator[EncodedBlock | RowsBlock]:
        """The file's rows in order, ready to write. A `RowsBlock` is for the engine: its values have custom fields.

        Blocks, and holds no database connection: run it in a thread. Columns that values don't have are passed over:
        the preflight has refused them.
        """
        for block in read_columns(source, format, limit_bytes=limit_bytes)[1]:
            named = block.without("instrument") if self._by_id else block
            yield encode(named, self._workspace_id, self._instruments, self._series)

    async def write(
        self, tx: Transaction, block: EncodedBlock, *, room: int | None = None, full: Problem | None = None
    ) -> Written:
        """Writes the rows that can go in and names every one that can't; the transaction stays usable.

        With `room` no more than so many go in, the first ones; the others are `full`.
        """
        if tx is not self._held_in:
            self._held_in = tx
            self._instruments_held, self._series_held = _Held(self._instruments), _Held(self._series)
        refused = _Refused(block)
        await self._hold(tx, block, refused)
        for attempt in range(_ATTEMPTS):
            if self._expects_conflicts or attempt:
                await self._refuse_conflicts(tx, block, refused)
            good = _first(~refused.rows, room)
            try:
                async with tx.savepoint():
                    await self._copy(tx, block, good)
                break
            except asyncpg.UniqueViolationError:
                if attempt == _ATTEMPTS - 1:
                    raise
        if full:
            refused.refuse(~good, None, full.code, full.detail)
        return Written(len(block.numbers) - int(refused.rows.sum()), refused.errors())

    async def _hold(self, tx: Transaction, block: EncodedBlock, refused: _Refused) -> None:
        """Keeps the parents from being deleted until the end, each once; instruments before series, by id."""
        for field, held, positions in (
            ("instrument_id", self._instruments_held, block.instruments),
            ("type_id", self._series_held, block.series),
        ):
            await held.add(tx, positions)
            called = held.parents.resource.called
            refused.refuse(held.gone[positions], field, "unknown_reference", f"the {called} was deleted meanwhile")
            archived = held.archived[positions] & ~block.recorded
            refused.refuse(archived, field, "parent_archived", f"the {called} is archived: restore it first")

    async def _refuse_conflicts(self, tx: Transaction, block: EncodedBlock, refused: _Refused) -> None:
        """The id goes before the instant, as it does with the database itself."""
        before = int(refused.rows.sum())
        instruments, series = self._instruments.ids[block.instruments], self._series.ids[block.series]
        claims = Claims(instruments, series, block.times, block.ids, block.archived)
        named = np.flatnonzero(~refused.rows & block.recorded)
        used = await taken_ids(tx, block.ids[named])
        refused.refuse(_mask(len(refused.rows), named[used]), "id", "conflict", _SAME_ID)
        asked = np.flatnonzero(~refused.rows & ~block.archived)
        taken = await taken_instants(tx, claims.at(asked))
        refused.refuse(_mask(len(refused.rows), asked[taken]), "timestamp", "conflict", _SAME_INSTANT)
        same_instant, same_id = repeated(claims, refused.rows)
        refused.refuse(same_instant, "timestamp", "conflict", _SAME_INSTANT)
        refused.refuse(same_id, "id", "conflict", _SAME_ID)
        self._expects_conflicts = int(refused.rows.sum()) > before

    async def _copy(self, tx: Transaction, block: EncodedBlock, good: Mask) -> None:
        for rows, chosen in (
            (block.active_rows, good[~block.archived]),
            (block.archived_rows, good[block.archived]),
        ):
            wanted = rows if chosen.all() else rows[chosen]
            if len(wanted):
                await (_copy_staged if self._staged else copy_rows)(tx, wanted, "time_series_values")


class _Held:
    """Parents locked in one transaction, and what the lock found them to be."""

    def __init__(self, parents: Parents) -> None:
        self.parents = parents
        self._asked: Mask = np.zeros(len(parents.ids), np.bool_)
        self.gone: Mask = np.zeros(len(parents.ids), np.bool_)
        self.archived: Mask = np.zeros(len(parents.ids), np.bool_)

    async def add(self, tx: Transaction, positions: Numbers) -> None:
        new = np.unique(positions[~self._asked[positions]])
        if not len(new):
            return
        ids = {UUID(bytes=self.parents.ids[position].tobytes()): position for position in new.tolist()}
        statement = Sql.of(
            f"select id, archived_at from {self.parents.resource.table}"
            " where workspace_id = ? and id = any(?) order by id for key share",
            tx.workspace_id,
            list(ids),
        )
        self._asked[new] = self.gone[new] = True
        for row in await tx.rows(statement):
            self.gone[ids[row["id"]]] = False
            self.archived[ids[row["id"]]] = row["archived_at"] is not None


class _Refused:
    """Sound rows that the database won't take."""

    def __init__(self, block: EncodedBlock) -> None:
        self._block, self._found = block, list(block.errors)
        self.rows: Mask = np.zeros(len(block.numbers), np.bool_)

    def refuse(self, where: Mask, field: str | None, code: str, message: str) -> None:
        for place in np.flatnonzero(where & ~self.rows).tolist():
            self._found.append(RowError(int(self._block.numbers[place]), None, field, code, message))
        self.rows |= where

    def errors(self) -> Sequence[RowError]:
        return located(self._block.source, self._found)


async def copy_rows(tx: Transaction, rows: Rows, table: str) -> None:
    names = [name for name in rows.dtype.names or () if not name.endswith("_size") and name != "columns"]
    await copy_in(tx, table, _stream(rows), names)


async def _copy_staged(tx: Transaction, rows: Rows, table: str) -> None:
    """By way of a temporary table: Citus answers a duplicate in a direct COPY with an internal error.

    So it does in a plain `insert … select`, a COPY inside; with `returning` it is none. (`on conflict do nothing` won't
    do: its count there includes the rows that it left out.)
    """
    await tx.run(
        Sql.of(f"create temporary table if not exists arriving (like {table} including defaults) on commit delete rows")
    )
    await tx.run(Sql.of("delete from arriving"))
    await copy_rows(tx, rows, "arriving")
    columns = ", ".join(name for name in rows.dtype.names or () if not name.endswith("_size") and name != "columns")
    await tx.run(Sql.of(f"insert into {table} ({columns}) select {columns} from arriving returning 1"))


async def _stream(rows: Rows) -> AsyncIterator[bytes | memoryview]:
    yield HEADER
    content = memoryview(rows.view(np.uint8).data)
    for start in range(0, len(content), _COPY_BYTES):
        yield content[start : start + _COPY_BYTES]
    yield TRAILER


def _first(good: Mask, room: int | None) -> Mask:
    if room is None or int(good.sum()) <= room:
        return good
    first: Mask = good & (np.cumsum(good) <= room)
    return first


def _mask(count: int, places: Numbers) -> Mask:
    found: Mask = np.zeros(count, np.bool_)
    found[places] = True
    return found
