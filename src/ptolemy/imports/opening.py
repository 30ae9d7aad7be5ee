"""A file on its way in: what it is, whether it fits the workspace, and the pipeline for its rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ptolemy.database.pool import Database
from ptolemy.engine.interchange import Interchange, custom_fields
from ptolemy.engine.resource import ID, Resource
from ptolemy.formats import gzip
from ptolemy.formats.detection import Detected, open_plain
from ptolemy.formats.reading import read_rows
from ptolemy.formats.rows import UnreadableFile
from ptolemy.imports import preflight
from ptolemy.imports.columns.loader import ValuesLoader
from ptolemy.imports.columns.pipeline import ValuesPipeline
from ptolemy.imports.columns.preflight import spoken_values
from ptolemy.imports.keys import RowKey
from ptolemy.imports.pipeline import Pipeline, RowPipeline
from ptolemy.imports.rows import RowReader, form_of
from ptolemy.kernel.actors import Caller
from ptolemy.resources.time_series_values import TimeSeriesValues


@dataclass(frozen=True)
class Opening:
    """A file, and what is to become of it. `limit_bytes` bounds what it may unfold to."""

    database: Database
    caller: Caller
    resource: Resource
    path: Path
    detected: Detected
    limit_bytes: int
    key: str | None = None
    """What names the records that rows change."""


@asynccontextmanager
async def open_file(opening: Opening) -> AsyncIterator[Pipeline[Any]]:
    """The file, ready to be read from row 1; `UnreadableFile` where it, as a whole, can't be imported."""
    await _check(opening)
    with closing(open_plain(opening.path, opening.detected, limit_bytes=opening.limit_bytes)) as source:
        yield await _pipeline(opening, source)


async def _pipeline(opening: Opening, source: BinaryIO) -> Pipeline[Any]:
    resource, file_format = opening.resource, opening.detected.format
    if opening.key or not isinstance(resource, TimeSeriesValues):
        # Opening Parquet reads its footer.
        rows = await asyncio.to_thread(read_rows, source, file_format, opening.limit_bytes)
        pipeline = RowPipeline(resource, rows.rows, form_of(file_format), opening.key)
        if pipeline.key:
            async with opening.database.snapshot(opening.caller) as tx:
                await pipeline.key.prepare(tx)
        return pipeline
    async with opening.database.snapshot(opening.caller) as tx:
        loader = await ValuesLoader.load(tx)
    return ValuesPipeline(resource, loader, source, file_format, limit_bytes=opening.limit_bytes)


async def _check(opening: Opening) -> None:
    """All that is known before row 1: the columns that a file declares, the types and fields of a backup."""
    resource = opening.resource

    def read() -> tuple[Sequence[str] | None, preflight.Spoken]:
        if opening.detected.gzipped:
            gzip.prove(opening.path, limit_bytes=opening.limit_bytes)
        with closing(open_plain(opening.path, opening.detected, limit_bytes=opening.limit_bytes)) as source:
            if isinstance(resource, TimeSeriesValues):
                return spoken_values(source, opening.detected.format, limit_bytes=opening.limit_bytes)
            columns, rows = read_rows(source, opening.detected.format, opening.limit_bytes)
            backup = columns is None or ID.name in columns
            guarded = form_of(opening.detected.format) == "guarded"
            return columns, preflight.spoken_of(type(resource), rows if backup else (), guarded=guarded)

    columns, spoken = await asyncio.to_thread(read)
    async with opening.database.snapshot(opening.caller) as tx:
        await preflight.check(tx, type(resource), spoken)
        custom = await custom_fields(tx, Interchange(type(resource)))
    if columns is not None:
        _check_columns(opening, columns, custom.keys)


def _check_columns(opening: Opening, columns: Sequence[str], custom_keys: Sequence[str]) -> None:
    reader = RowReader(opening.resource, form_of(opening.detected.format))
    if unknown := reader.unknown_columns(columns, custom_keys):
        names = ", ".join(unknown)
        # What is no CSV at all may have a header of megabytes.
        shown = names if len(names) <= 1000 else f"{names[:1000]}…"
        commas = ": separate the columns by commas" if len(columns) == 1 and set(columns[0]) & set(";\t|") else ""
        raise UnreadableFile("unknown_column", f"the file has columns that mean nothing here: {shown}{commas}")
    if opening.key and RowKey(opening.resource, opening.key, reader).missing_from(columns):
        raise UnreadableFile("missing_column", f"rows are to be found by {opening.key}, which the file lacks")
