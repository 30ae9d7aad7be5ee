"""A whole workspace from its archive: every file in the order of the catalogue, in one transaction, all or nothing.

Into an empty workspace only. Into one that holds data each record would have to be matched by its id and changed where
it differs: that would be another `write` for the pipelines below, and `_make_room` would leave what is there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from ptolemy.catalogue import LISTING_STATUSES, RESOURCES
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lifecycle
from ptolemy.engine.resource import Resource
from ptolemy.formats.archive_reader import Archive
from ptolemy.formats.json_array import read_json
from ptolemy.formats.manifest import PackedFile
from ptolemy.formats.rows import UnreadableFile
from ptolemy.imports.columns.loader import ValuesLoader
from ptolemy.imports.columns.pipeline import ValuesPipeline
from ptolemy.imports.pipeline import Pipeline, RowPipeline
from ptolemy.imports.progress import Outcome
from ptolemy.kernel.problems import Conflict
from ptolemy.resources.market_listings import FIRST_STATUSES
from ptolemy.resources.time_series_values import TimeSeriesValues

_MANY_ROWS = 1000

Batches = Callable[[Pipeline[Any]], AsyncGenerator[Any, None]]


@dataclass
class FileCount:
    """What one file should come to, and what became of it."""

    file: str
    expected: int
    created: int = 0
    changed: int = 0
    failed: int = 0


async def restore(
    tx: Transaction, archive: Archive, batches: Batches, told: Callable[[FileCount, Outcome], Awaitable[None]]
) -> list[FileCount]:
    """Restores an archive that has been checked; `tx` is the owner's. Tells of each batch, the bad rows too.

    Where no row is bad, what the workspace then holds was counted and is what the manifest says.
    """
    by_resource = _by_resource(archive)
    await _make_room(tx)
    counts = []
    for resource in RESOURCES:
        if file := by_resource.get(resource.table):
            count = FileCount(file.name, file.rows)
            counts.append(count)
            await _restore_file(tx, archive, resource, file, count, batches, told)
    if not any(count.failed for count in counts):
        await _compare(tx, by_resource)
    return counts


def _by_resource(archive: Archive) -> dict[str, PackedFile]:
    found = {file.resource: file for file in archive.manifest.files}
    if unknown := sorted(found.keys() - {resource.table for resource in RESOURCES}):
        raise UnreadableFile("unknown_resource", f"the backup holds what this Ptolemy doesn't know: {unknown[0]}")
    if len(found) != len(archive.manifest.files):
        raise UnreadableFile("damaged_archive", "the manifest names a resource twice")
    return found


async def _make_room(tx: Transaction) -> None:
    """Refuses a workspace that holds data; what every workspace begins with makes room for what the backup has."""
    # A status that somebody adds meanwhile, or a record of any kind, is then counted at the end.
    statuses = await tx.rows(
        Sql.of(
            "select * from market_listing_statuses where workspace_id = ? order by id for update",
            tx.workspace_id,
        )
    )
    holding = [resource.called for resource in RESOURCES if await _holds(tx, resource, statuses)]
    if holding:
        raise Conflict(
            "workspace_not_empty",
            f"the workspace holds data already (the first: {holding[0]}): restore into a new one",
        )
    await lifecycle.remove(tx, LISTING_STATUSES, statuses)


async def _holds(tx: Transaction, resource: Resource, statuses: Sequence[Row]) -> bool:
    if resource is LISTING_STATUSES:
        return any(not _as_seeded(row) for row in statuses)
    return bool(
        await tx.value(Sql.of(f"select exists (select from {resource.table} where workspace_id = ?)", tx.workspace_id))
    )


def _as_seeded(row: Row) -> bool:
    return row["archived_at"] is None and any(
        all(row[name] == value for name, value in first.items()) for first in FIRST_STATUSES
    )


async def _restore_file(
    tx: Transaction,
    archive: Archive,
    resource: Resource,
    file: PackedFile,
    count: FileCount,
    batches: Batches,
    told: Callable[[FileCount, Outcome], Awaitable[None]],
) -> None:
    with closing(archive.open(file)) as source:
        pipeline = await _pipeline(tx, resource, source)
        async with aclosing(batches(pipeline)) as found:
            async for batch in found:
                outcome = await pipeline.write(tx, batch)
                count.created += outcome.imported
                count.failed += len({error.row for error in outcome.errors})
                await told(count, outcome)
    if file.rows >= _MANY_ROWS:
        # What follows looks these up: the planner must know that there are many.
        await tx.run(Sql(f"analyze {resource.table}"))


async def _pipeline(tx: Transaction, resource: Resource, source: BinaryIO) -> Pipeline[Any]:
    if isinstance(resource, TimeSeriesValues):
        # Only now: it reads the instruments and series that this very transaction brings back.
        return ValuesPipeline(resource, await ValuesLoader.load(tx), source, "json")
    return RowPipeline(resource, read_json(source), "json")


async def _compare(tx: Transaction, by_resource: dict[str, PackedFile]) -> None:
    wrong = []
    for resource in RESOURCES:
        number = await tx.value(
            Sql.of(f"select count(*) from {resource.table} where workspace_id = ?", tx.workspace_id)
        )
        file = by_resource.get(resource.table)
        expected = file.rows if file else 0
        if number != expected:
            wrong.append(f"{resource.table}: {number} instead of {expected}")
    if wrong:
        raise Conflict(
            "restore_incomplete", f"the workspace isn't what the manifest says, so nothing stays: {', '.join(wrong)}"
        )
