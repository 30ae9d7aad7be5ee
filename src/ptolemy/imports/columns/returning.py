"""Scalar values of a backup into a workspace that holds data: by columns, those apart that are there and differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.database.transaction import Transaction
from ptolemy.engine.resource import Resource
from ptolemy.imports.columns.binary import ID, Mask, Rows
from ptolemy.imports.columns.conflicts import as_uuids, copied
from ptolemy.imports.columns.encode import EncodedBlock, RowsBlock
from ptolemy.imports.columns.loader import ValuesLoader
from ptolemy.imports.columns.pipeline import ValuesPipeline
from ptolemy.imports.progress import Outcome
from ptolemy.imports.returning import ReturningRows
from ptolemy.imports.row_errors import RowError
from ptolemy.plans import items

_WIDTH = 40
"""Characters of a number that are compared here; the engine compares longer ones."""
_NEVER = np.iinfo(np.int64).max
"""How PostgreSQL sends `infinity`."""
_STORED = [
    ("id", ID),
    ("instrument_id", ID),
    ("type_id", ID),
    ("timestamp", ">i8"),
    ("created_at", ">i8"),
    ("updated_at", ">i8"),
    ("archived_at", ">i8"),
    ("value", f"S{_WIDTH}"),
    ("plain", "?"),
]
_SELECT = (
    "select id, instrument_id, type_id, timestamp, created_at, updated_at, coalesce(archived_at, 'infinity'),"
    f" rpad(value::text, {_WIDTH}), field_values = '{{}}'"
    " from time_series_values where workspace_id = $1 and"
)


class ReturningValues(ValuesPipeline):
    """`ValuesPipeline` for rows of which some are there: what is equal stays, what differs goes through the engine."""

    def __init__(self, resource: Resource, loader: ValuesLoader, source: BinaryIO) -> None:
        super().__init__(resource, loader, source, "json")
        self._returning = self._by_rows = ReturningRows(resource, ())

    async def write(self, tx: Transaction, batch: EncodedBlock | RowsBlock, room: int | None = None) -> Outcome:
        """Whatever the room: a restore is refused as a whole, when it commits."""
        if isinstance(batch, RowsBlock):
            return await self._write_rows(tx, batch.rows)
        there, equal = await _held_against(tx, batch)
        # Changes come first: they may let go of an instant that a missing value takes.
        changed = batch.file_rows(set(batch.numbers[there & ~equal].tolist()))
        outcome = (await self._write_rows(tx, changed)).plus(Outcome(int(equal.sum()), 0, unchanged=int(equal.sum())))
        return outcome.plus(await self._create(tx, batch, ~there))

    async def _create(self, tx: Transaction, block: EncodedBlock, missing: Mask) -> Outcome:
        wanted = block if missing.all() else block.only(missing)
        inserted, errors = await self._loader.write(tx, wanted) if missing.any() else (0, block.errors)
        await items.count(tx, {self._resource.table: inserted} if inserted else {})
        outcome = Outcome(len(wanted.numbers) + block.count - len(block.numbers), inserted)
        return outcome.plus(await self._refused(tx, block, errors)) if errors else outcome

    async def _refused(self, tx: Transaction, block: EncodedBlock, errors: Sequence[RowError]) -> Outcome:
        """What becomes of rows that can't go in now: those in conflict wait while there is room."""
        rows = self._returning.read(block.file_rows({error.row for error in errors}))
        return await self._returning.settle(tx, rows, errors)


async def _held_against(tx: Transaction, block: EncodedBlock) -> tuple[Mask, Mask]:
    """Which rows of a block are there by their ids, and which of them are there as they are.

    A row without an id is neither new nor known: it counts as there and different, so the engine refuses it.
    """
    stored = await _stored(tx, block)
    if not len(stored):
        return ~block.recorded, np.zeros(len(block.ids), np.bool_)
    known = np.ascontiguousarray(stored["id"]).view("S16")
    order, asked = known.argsort(), np.ascontiguousarray(block.ids).view("S16")
    place = np.minimum(np.searchsorted(known, asked, sorter=order), len(known) - 1)
    there = known[order[place]] == asked
    said = np.zeros(len(block.ids), _STORED)
    for name, _ in _STORED:
        said[name] = stored[name][order[place]]
    equal = (_bytes(said) == _bytes(_arriving(block))).all(axis=1)
    return there | ~block.recorded, there & equal & block.recorded


async def _stored(tx: Transaction, block: EncodedBlock) -> Rows:
    """The values that have the ids of a block, and others between them."""
    if not len(block.ids):
        return np.zeros(0, _STORED)
    ids = np.sort(np.ascontiguousarray(block.ids).view("S16")).view(ID)
    limit = 2 * len(ids)
    found: Rows = await copied(tx, f"{_SELECT} id between $2 and $3 limit $4", _STORED, *as_uuids(ids[[0, -1]]), limit)
    if len(found) < limit:
        return found
    among: Rows = await copied(tx, f"{_SELECT} id = any($2::uuid[])", _STORED, as_uuids(ids))
    return among


def _arriving(block: EncodedBlock) -> Rows:
    """The rows of a block as the database would answer them."""
    rows = np.zeros(len(block.ids), _STORED)
    rows["archived_at"], rows["plain"] = _NEVER, True
    for sent, where in ((block.active_rows, ~block.archived), (block.archived_rows, block.archived)):
        for name in set(sent.dtype.names or ()) & {name for name, _ in _STORED} - {"value"}:
            rows[name][where] = sent[name]
    cells = block.source.columns["value"].take(pa.array(np.searchsorted(block.source.numbers, block.numbers)))
    short = pc.less(pc.binary_length(cells), _WIDTH)
    padded = pc.utf8_rpad(pc.if_else(short, cells, ""), _WIDTH)
    rows["value"] = padded.cast(pa.binary()).to_pylist()
    return rows


def _bytes(rows: Rows) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
