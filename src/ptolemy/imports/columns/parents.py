"""The instruments and series that values may name, for looking up a million keys without a query each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.resource import Resource
from ptolemy.imports.columns.binary import ID, Ids, Mask, Numbers
from ptolemy.kernel.identifiers import UUID_FORM
from ptolemy.resources.instruments import Instruments
from ptolemy.resources.type_fields import TimeSeriesTypeFields
from ptolemy.resources.types import Series

UNKNOWN, NONE = -1, -2
"""Positions of a key that names nothing, and of no key."""


@dataclass(frozen=True)
class Parents:
    """All instruments, or all series, of a workspace; a position is a place in these arrays."""

    resource: type[Resource]
    ids: Ids
    archived: Mask
    composite: Mask
    """Series that hold no scalar values."""
    demanding: Mask
    """Series with fields that a value must have, or gets by default: where such a field is null, the null is kept."""
    by_key: dict[str | bytes, int]
    """By identifier and by the bytes of the UUID; an identifier names the active record, else the last archived."""

    def positions(self, keys: pa.Array[Any], beside: pa.Array[Any] | None = None) -> Numbers:
        """Whom each row names; where its key is unknown, the identifier beside it decides."""
        found = self._positions(keys)
        if beside is None or not (found < 0).any():
            return found
        other = self._positions(beside)
        return np.where((found == NONE) | ((found == UNKNOWN) & (other >= 0)), other, found)

    def _positions(self, keys: pa.Array[Any]) -> Numbers:
        encoded = keys.dictionary_encode()
        known = [self._position(key) for key in encoded.dictionary.to_pylist()]
        places = encoded.indices.fill_null(len(known)).to_numpy()
        return np.asarray(np.array([*known, NONE], dtype=np.int64)[places])

    def _position(self, key: str) -> int:
        if UUID_FORM.fullmatch(key):
            return self.by_key.get(UUID(key).bytes, UNKNOWN)
        return self.by_key.get(key, UNKNOWN)


async def load_instruments(tx: Transaction) -> Parents:
    rows = await tx.rows(
        Sql.of("select id, identifier, archived_at from instruments where workspace_id = ?", tx.workspace_id)
    )
    nothing = np.zeros(len(rows), np.bool_)
    return _parents(Instruments, rows, nothing, nothing)


async def load_series(tx: Transaction) -> Parents:
    rows = await tx.rows(
        Sql.of("select id, identifier, archived_at, kind from series where workspace_id = ?", tx.workspace_id)
    )
    statement = Sql.of(
        f"select distinct type_id from {TimeSeriesTypeFields.table}"
        " where workspace_id = ? and (is_required or has_default)",
        tx.workspace_id,
    )
    demanding = {row["type_id"] for row in await tx.rows(statement)}
    return _parents(
        Series,
        rows,
        np.array([row["kind"] != "scalar" for row in rows], np.bool_),
        np.array([row["id"] in demanding for row in rows], np.bool_),
    )


def _parents(resource: type[Resource], rows: list[Row], composite: Mask, demanding: Mask) -> Parents:
    by_key: dict[str | bytes, int] = {row["id"].bytes: position for position, row in enumerate(rows)}
    archived = [position for position, row in enumerate(rows) if row["archived_at"] is not None]
    for position in sorted(archived, key=lambda position: rows[position]["archived_at"]):
        by_key[rows[position]["identifier"]] = position
    by_key |= {row["identifier"]: position for position, row in enumerate(rows) if row["archived_at"] is None}
    return Parents(
        resource,
        np.frombuffer(b"".join([row["id"].bytes for row in rows]), ID),
        np.array([row["archived_at"] is not None for row in rows], np.bool_),
        composite,
        demanding,
        by_key,
    )
