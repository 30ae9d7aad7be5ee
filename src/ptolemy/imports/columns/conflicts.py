"""Which rows of a block the database would refuse: their id is taken, or another active value has their instant.

Asked by ranges of the indexes: a block mostly holds a few series over a span, and one range tells what is taken in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from ptolemy.database.transaction import Transaction
from ptolemy.imports.columns.binary import EPOCH, HEADER, ID, TRAILER, Ids, Mask, Numbers

_PAIRS_A_ROW = 1 / 8
"""With more pairs of instrument and series than this, ranges are no cheaper than asking for every key."""


@dataclass(frozen=True)
class Claims:
    """What the rows of a block would be alone in having."""

    instruments: Ids
    series: Ids
    times: Numbers
    ids: Ids
    archived: Mask
    """An archived row claims its id alone."""

    def at(self, places: Numbers) -> Claims:
        return Claims(
            self.instruments[places],
            self.series[places],
            self.times[places],
            self.ids[places],
            self.archived[places],
        )


async def taken_instants(tx: Transaction, claims: Claims) -> Mask:
    """Where an active value of the same instrument and series has the same instant."""
    times = claims.times
    if not len(times):
        return np.zeros(0, np.bool_)
    pair, first = _pairs(claims)
    order = np.lexsort((times, pair))
    ends = np.flatnonzero(np.diff(pair[order], append=-1))
    starts = np.concatenate([[0], ends[:-1] + 1])
    if len(first) > len(times) * _PAIRS_A_ROW:
        return await _taken_keys(tx, claims)
    # More than this in the ranges, and they are much denser than the block.
    limit = 2 * len(times)
    hits = await copied(
        tx,
        "select p.n, t.timestamp"
        " from unnest($2::int[], $3::uuid[], $4::uuid[], $5::timestamp[], $6::timestamp[]) p (n, i, s, lo, hi)"
        " cross join lateral ("
        "select timestamp from time_series_values"
        " where workspace_id = $1 and instrument_id = p.i and type_id = p.s and archived_at is null"
        " and timestamp >= p.lo at time zone 'UTC' and timestamp <= p.hi at time zone 'UTC'"
        " limit $7) t",
        [("n", ">i4"), ("time", ">i8")],
        list(range(len(first))),
        as_uuids(claims.instruments[first]),
        as_uuids(claims.series[first]),
        _naive(times[order[starts]]),
        _naive(times[order[ends]]),
        limit,
    )
    if len(hits) and np.bincount(hits["n"]).max() >= limit:
        return await _taken_keys(tx, claims)
    return _isin(pair, times, hits["n"].astype(np.int64), hits["time"].astype(np.int64))


async def taken_ids(tx: Transaction, ids: Ids) -> Mask:
    """Where a value of the workspace, active or archived, has the id."""
    texts = np.ascontiguousarray(ids).view("S16")
    if not len(texts):
        return np.zeros(0, np.bool_)
    order = texts.argsort()
    limit = 2 * len(ids)
    hits = await copied(
        tx,
        "select id from time_series_values where workspace_id = $1 and id between $2 and $3 limit $4",
        [("id", ID)],
        *as_uuids(ids[order[[0, -1]]]),
        limit,
    )
    if len(hits) >= limit:
        among = "select id from time_series_values where workspace_id = $1 and id = any($2::uuid[])"
        hits = await copied(tx, among, [("id", ID)], as_uuids(ids))
    return np.isin(texts, np.ascontiguousarray(hits["id"]).view("S16"))


def repeated(claims: Claims, skip: Mask) -> tuple[Mask, Mask]:
    """Where an earlier row of the block, itself not refused, has the same instant, or else the same id."""
    pair, _ = _pairs(claims)
    key = pair * len(pair) + np.unique(claims.times, return_inverse=True)[1]
    key = np.where(claims.archived, -1 - np.arange(len(key)), key)
    name = np.unique(np.ascontiguousarray(claims.ids).view("S16"), return_inverse=True)[1]
    same_instant, same_id = np.zeros(len(key), np.bool_), np.zeros(len(key), np.bool_)
    seen_keys: set[int] = set()
    seen_ids: set[int] = set()
    for row in np.flatnonzero((_shared(key) | _shared(name)) & ~skip).tolist():
        if key[row] in seen_keys:
            same_instant[row] = True
        elif name[row] in seen_ids:
            same_id[row] = True
        else:
            seen_keys.add(key[row])
            seen_ids.add(name[row])
    return same_instant, same_id


async def _taken_keys(tx: Transaction, claims: Claims) -> Mask:
    hits = await copied(
        tx,
        "select k.n::int"
        " from unnest($2::uuid[], $3::uuid[], $4::timestamp[]) with ordinality k (i, s, instant, n)"
        " cross join lateral ("
        "select 1 from time_series_values"
        " where workspace_id = $1 and instrument_id = k.i and type_id = k.s and archived_at is null"
        " and timestamp = k.instant at time zone 'UTC') t",
        [("n", ">i4")],
        as_uuids(claims.instruments),
        as_uuids(claims.series),
        _naive(claims.times),
    )
    taken: Mask = np.zeros(len(claims.times), np.bool_)
    taken[hits["n"] - 1] = True
    return taken


async def copied(tx: Transaction, query: str, columns: list[tuple[str, Any]], *args: Any) -> Any:
    """The answer as an array, through binary COPY: tens of thousands of rows without an object each."""
    content = bytearray()

    async def take(chunk: bytes) -> None:
        content.extend(chunk)

    await tx.driver.copy_from_query(query, tx.workspace_id, *args, output=take, format="binary")
    parts: list[Any] = [("columns", ">i2")]
    for name, kind in columns:
        parts += [(f"{name}_size", ">i4"), (name, kind)]
    return np.frombuffer(content[len(HEADER) : -len(TRAILER)], np.dtype(parts))


def _pairs(claims: Claims) -> tuple[Numbers, Numbers]:
    """The number of each row's pair of instrument and series, and where each pair occurs first."""
    both = np.zeros(len(claims.times), dtype=[("instrument", ID), ("series", ID)])
    both["instrument"], both["series"] = claims.instruments, claims.series
    _, first, pair = np.unique(both.view("S32"), return_index=True, return_inverse=True)
    return pair, first


def _isin(pair: Numbers, times: Numbers, hit_pairs: Numbers, hit_times: Numbers) -> Mask:
    instants = np.unique(times)
    place = np.minimum(np.searchsorted(instants, hit_times), len(instants) - 1)
    hit = instants[place] == hit_times
    codes = hit_pairs[hit] * len(instants) + place[hit]
    return np.isin(pair * len(instants) + np.searchsorted(instants, times), codes)


def _shared(key: Numbers) -> Mask:
    _, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1)


def as_uuids(ids: Ids) -> list[UUID]:
    return [UUID(bytes=each.tobytes()) for each in ids]


def _naive(times: Numbers) -> list[Any]:
    found: list[Any] = (times + EPOCH).astype("datetime64[us]").tolist()
    return found
