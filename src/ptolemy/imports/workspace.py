"""A whole workspace from its archive: every file in the order of the catalogue, in one transaction.

Into an empty workspace its rows are created. In one that holds data each record becomes what the archive says of it, by
its id; what the archive doesn't know stays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
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
from ptolemy.imports.columns.returning import ReturningValues
from ptolemy.imports.pipeline import Pipeline, RowPipeline
from ptolemy.imports.progress import Outcome
from ptolemy.imports.returning import ReturningRows
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
    unchanged: int = 0
    failed: int = 0

    def add(self, outcome: Outcome) -> None:
        self.created += outcome.imported
        self.changed += outcome.updated
        self.unchanged += outcome.unchanged
        self.failed += outcome.failed

    @property
    def nothing_stays(self) -> FileCount:
        """The same while nothing of it is true yet."""
        return replace(self, created=0, changed=0)


Told = Callable[[FileCount, Outcome], Awaitable[None]]


async def restore(tx: Transaction, archive: Archive, batches: Batches, told: Told) -> list[FileCount]:
    """Restores an archive that has been checked; `tx` is the owner's. Tells of each batch, the bad rows too.

    Where no row is bad, what the workspace then holds was counted and is what the manifest says.
    """
    by_resource = _by_resource(archive)
    await _make_room(tx)
    counts = await _files(tx, archive, by_resource, _creating, batches, told)
    if not any(count.failed for count in counts):
        await _compare(tx, by_resource)
    return counts


async def restore_into_existing(tx: Transaction, archive: Archive, batches: Batches, told: Told) -> list[FileCount]:
    """The same into a workspace that holds data. Each row of the manifest is accounted for, the bad ones too."""
    by_resource = _by_resource(archive)
    if file := by_resource.get(LISTING_STATUSES.table):
        await _make_room_for_statuses(tx, archive, file)
    counts = await _files(tx, archive, by_resource, _returning, batches, told)
    wrong = [
        f"{count.file}: {found} instead of {count.expected}"
        for count in counts
        if (found := count.created + count.changed + count.unchanged + count.failed) != count.expected
    ]
    if wrong:
        raise _incomplete(wrong)
    return counts


async def _files(
    tx: Transaction,
    archive: Archive,
    by_resource: dict[str, PackedFile],
    opened: Callable[[Transaction, Resource, BinaryIO], Awaitable[Pipeline[Any]]],
    batches: Batches,
    told: Told,
) -> list[FileCount]:
    counts = []
    for resource in RESOURCES:
        file = by_resource.get(resource.table)
        if file is None:
            continue
        count = FileCount(file.name, file.rows)
        counts.append(count)
        with closing(archive.open(file)) as source:
            pipeline = await opened(tx, resource, source)
            async with aclosing(_outcomes(tx, pipeline, batches)) as outcomes:
                async for outcome in outcomes:
                    count.add(outcome)
                    await told(count, outcome)
        if count.created >= _MANY_ROWS:
            # What follows looks these up: the planner must know that there are many.
            await tx.run(Sql(f"analyze {resource.table}"))
    return counts


async def _outcomes(tx: Transaction, pipeline: Pipeline[Any], batches: Batches) -> AsyncGenerator[Outcome, None]:
    async with aclosing(batches(pipeline)) as found:
        async for batch in found:
            yield await pipeline.write(tx, batch)
    yield await pipeline.finish(tx)


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
            f"the workspace holds data already (the first: {holding[0]}): restore into a new one, or into this one"
            " with `into_existing` (`ptolemy restore --into-existing`)",
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


async def _make_room_for_statuses(tx: Transaction, archive: Archive, file: PackedFile) -> None:
    """Takes away statuses that nobody has touched or used, where the archive has others of their names."""
    with closing(archive.open(file)) as source:
        rows = [row.values for row in read_json(source)]
    ids, names = ({row.get(key) for row in rows} for key in ("id", "identifier"))
    statuses = await tx.rows(
        Sql.of(
            "select * from market_listing_statuses where workspace_id = ? order by id for update",
            tx.workspace_id,
        )
    )
    used = await tx.rows(
        Sql.of(
            "select distinct status_id from market_listings where workspace_id = ? and status_id is not null",
            tx.workspace_id,
        )
    )
    kept = ids | {str(row["status_id"]) for row in used}
    in_the_way = [
        row for row in statuses if _as_seeded(row) and row["identifier"] in names and str(row["id"]) not in kept
    ]
    await lifecycle.remove(tx, LISTING_STATUSES, in_the_way)


async def _creating(tx: Transaction, resource: Resource, source: BinaryIO) -> Pipeline[Any]:
    if isinstance(resource, TimeSeriesValues):
        # Only now: it reads the instruments and series that this very transaction brings back.
        return ValuesPipeline(resource, await ValuesLoader.load(tx), source, "json")
    return RowPipeline(resource, read_json(source), "json")


async def _returning(tx: Transaction, resource: Resource, source: BinaryIO) -> Pipeline[Any]:
    if isinstance(resource, TimeSeriesValues):
        return ReturningValues(resource, await ValuesLoader.load(tx, by_id=True), source)
    return ReturningRows(resource, read_json(source))


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
        raise _incomplete(wrong)


def _incomplete(wrong: Sequence[str]) -> Conflict:
    return Conflict(
        "restore_incomplete", f"the workspace isn't what the manifest says, so nothing stays: {', '.join(wrong)}"
    )
