"""Up to ten thousand values in one request, all of them or none.

Two batches of the same instants never wait for each other in a circle: each locks the values that are there in the
order of instruments, series and instants, then inserts the others in that order, and waits for nothing after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Overtaken, Row, Transaction
from ptolemy.engine import lookup, store
from ptolemy.engine.write import Write, creation, differs, follow_up, loaded, prepare
from ptolemy.events import log
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.timestamps import write_timestamp
from ptolemy.resources.time_series_values import Values
from ptolemy.series.records import Faults, Sent, accepted

MAX_RECORDS = 10_000
IDS_IN_EVENT = 100

OnConflict = Literal["error", "update", "skip"]
Instant = tuple[UUID, UUID, datetime]
"""What one active value is alone in having: its instrument, its series, and when."""


@dataclass(frozen=True)
class Outcome:
    """`skipped` records changed nothing: their instant was taken, or the value there was the same already."""

    created: int
    updated: int
    skipped: int


async def write_batch(tx: Transaction, resource: Values, records: Sequence[Any], on_conflict: OnConflict) -> Outcome:
    """Writes every record, each by the rules of a POST; else raises the problem that names all bad ones.

    Raises `Overtaken` where another writer has taken, or archived, one of the instants since we looked.
    """
    faults = Faults()
    sent = await asyncio.to_thread(accepted, resource, records, faults)
    instants = await _instants(tx, resource, sent)
    if on_conflict != "skip":
        _refuse_repeated(instants, faults)
    there = await _locked(tx, resource, instants) if on_conflict == "update" else {}
    writes = await _prepared(tx, resource, sent, [there.get(at) if at else None for at in instants], faults)
    faults.settle()
    order = sorted(range(len(writes)), key=lambda place: _sort_key(instants[place]))
    new = [place for place in order if writes[place].old is None]
    created = dict(zip(new, await store.insert_new(tx, resource, [writes[place] for place in new]), strict=True))
    if taken := [place for place, row in created.items() if row is None]:
        _settle_taken(resource, sorted(taken), on_conflict, faults)
    changed = [write for write in writes if write.old is not None and differs(resource, write)]
    updated = await store.update_all(tx, resource, changed)
    written = [(writes[place], row) for place, row in created.items() if row is not None]
    outcome = Outcome(len(written), len(changed), len(writes) - len(written) - len(changed))
    written += zip(changed, updated, strict=True)
    await follow_up(tx, resource, written, told=False)
    if written:
        await log.record(tx, [_event(resource, [write for write, _ in written], outcome)])
    return outcome


async def _instants(tx: Transaction, resource: Values, sent: Sequence[Sent | None]) -> list[Instant | None]:
    """Where each record belongs, None where it names nothing; its instrument and its series are held from here on."""
    ids = []
    for reference in (resource.instrument_id, resource.type_id):
        keys = {str(record[reference.name]) for record in sent if record}
        found = await lookup.parents(tx, reference.target, keys, ())
        ids.append({key: found[told]["id"] for key in keys if (told := lookup.told(key)) in found})
    instruments, series = ids
    places: list[Instant | None] = []
    for record in sent:
        instrument = instruments.get(record["instrument_id"]) if record else None
        type_id = series.get(record["type_id"]) if record else None
        places.append((instrument, type_id, record["timestamp"]) if record and instrument and type_id else None)
    return places


def _refuse_repeated(instants: Sequence[Instant | None], faults: Faults) -> None:
    """Which of two values of one instant is meant, nobody can know."""
    first: dict[Instant, int] = {}
    for place, instant in enumerate(instants):
        if instant is not None and (before := first.setdefault(instant, place)) != place:
            message = f"is the same instant of the same instrument and series as data.{before}"
            faults.refuse(place, [FieldError("timestamp", "repeated", message)])


async def _locked(tx: Transaction, resource: Values, instants: Sequence[Instant | None]) -> dict[Instant, Row]:
    """The active values that are at these instants, held until the end."""
    asked = sorted({instant for instant in instants if instant}, key=_sort_key)
    if not asked:
        return {}
    lock = Sql.of(
        "select found.* from unnest(?::uuid[], ?::uuid[], ?::timestamptz[]) as asked (instrument_id, type_id, instant)"
        # One probe of the index for each: a join may read the whole workspace, as the planner believes.
        f" cross join lateral (select * from {resource.table}"
        " where workspace_id = ? and instrument_id = asked.instrument_id and type_id = asked.type_id"
        " and timestamp = asked.instant and archived_at is null limit 1 for no key update) as found",
        *(list(column) for column in zip(*asked, strict=True)),
        tx.workspace_id,
    )
    return {(row["instrument_id"], row["type_id"], row["timestamp"]): row for row in await tx.rows(lock)}


async def _prepared(
    tx: Transaction, resource: Values, sent: Sequence[Sent | None], there: Sequence[Row | None], faults: Faults
) -> list[Write]:
    """A write for each record, against the rules; `there` has the value that it would change."""
    places = [place for place, record in enumerate(sent) if record is not None]
    writes = [_written(resource, record, old) for record, old in zip(sent, there, strict=True) if record is not None]
    await prepare(tx, resource, writes)
    for place, write in zip(places, writes, strict=True):
        if isinstance(problem := write.problem, Invalid):
            faults.refuse(place, problem.errors)
        elif problem:
            faults.forbid(place, problem.errors)
    return writes


def _written(resource: Values, record: Sent, old: Row | None) -> Write:
    if old is None:
        return creation(resource, record)
    return Write("updated", old, loaded(resource, old) | record, record)


def _settle_taken(resource: Values, taken: Sequence[int], on_conflict: OnConflict, faults: Faults) -> None:
    if on_conflict == "update":
        raise Overtaken
    if on_conflict == "error":
        names = " and ".join(resource.unique[0].names)
        fault = FieldError("", "duplicate", f"an active {resource.called} has the same {names}")
        for place in taken:
            faults.forbid(place, [fault])
        faults.settle()


def _sort_key(instant: Instant | None) -> tuple[int, int, datetime]:
    assert instant is not None  # noqa: S101 - records that name nothing are refused before
    return instant[0].int, instant[1].int, instant[2]


def _event(resource: Values, written: Sequence[Write], outcome: Outcome) -> log.Entry:
    """One for the whole batch: how much, of which instruments and series, from when to when."""
    times = [write.new[resource.timestamp.name] for write in written]
    said: Mapping[str, Any] = {
        "count": len(written),
        "created": outcome.created,
        "updated": outcome.updated,
        "skipped": outcome.skipped,
        "instruments": _named({write.new[resource.instrument_id.name] for write in written}),
        "series": _named({write.new[resource.type_id.name] for write in written}),
        "span": {"first": write_timestamp(min(times)), "last": write_timestamp(max(times))},
    }
    return log.Entry(
        event_type=f"{resource.singular}.batch_written",
        resource_type=resource.singular,
        resource_id=uuid7(),
        changes=log.appeared(said),
    )


def _named(ids: set[UUID]) -> dict[str, Any]:
    return {"number": len(ids), "ids": sorted(map(str, ids))[:IDS_IN_EVENT]}
