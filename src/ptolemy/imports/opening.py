"""A file on its way in: what it is, whether it fits the workspace, and the pipeline for its rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, BinaryIO

from ptolemy.database.pool import Database
from ptolemy.engine.interchange import Interchange, custom_fields
from ptolemy.engine.resource import Resource
from ptolemy.formats.csv import CsvReader
from ptolemy.formats.detection import Detected, Format, open_plain
from ptolemy.formats.json_array import read_json
from ptolemy.formats.rows import FileRow, UnreadableFile
from ptolemy.imports import preflight
from ptolemy.imports.columns.loader import ValuesLoader
from ptolemy.imports.columns.pipeline import ValuesPipeline
from ptolemy.imports.columns.preflight import spoken_values
from ptolemy.imports.pipeline import Pipeline, RowPipeline
from ptolemy.imports.rows import RowReader
from ptolemy.kernel.actors import Caller
from ptolemy.resources.time_series_values import TimeSeriesValues


@asynccontextmanager
async def open_file(
    database: Database, caller: Caller, resource: Resource, path: Path, detected: Detected, limit_bytes: int
) -> AsyncIterator[Pipeline[Any]]:
    """The file, ready to be read from row 1; `UnreadableFile` where it, as a whole, can't be imported."""
    await _check(database, caller, resource, path, detected, limit_bytes)
    with closing(open_plain(path, detected, limit_bytes=limit_bytes)) as source:
        yield await _pipeline(database, caller, resource, source, detected.format)


async def _pipeline(
    database: Database, caller: Caller, resource: Resource, source: BinaryIO, file_format: Format
) -> Pipeline[Any]:
    if not isinstance(resource, TimeSeriesValues):
        return RowPipeline(resource, _rows(source, file_format), cells=file_format == "csv")
    async with database.snapshot(caller) as tx:
        loader = await ValuesLoader.load(tx)
    return ValuesPipeline(resource, loader, source, file_format)


async def _check(
    database: Database, caller: Caller, resource: Resource, path: Path, detected: Detected, limit_bytes: int
) -> None:
    """All that is known before row 1: the columns of a CSV file, the types and fields of a backup."""

    def read() -> tuple[Sequence[str], preflight.Spoken]:
        with closing(open_plain(path, detected, limit_bytes=limit_bytes)) as source:
            if isinstance(resource, TimeSeriesValues):
                return spoken_values(source, detected.format)
            rows = _rows(source, detected.format)
            columns = rows.columns if isinstance(rows, CsvReader) else ()
            return columns, preflight.spoken_of(type(resource), rows)

    columns, spoken = await asyncio.to_thread(read)
    async with database.snapshot(caller) as tx:
        await preflight.check(tx, type(resource), spoken)
        custom = await custom_fields(tx, Interchange(type(resource)))
    if unknown := RowReader(resource, cells=True).unknown_columns(columns, custom.keys):
        names = ", ".join(unknown)
        # What is no CSV at all may have a header of megabytes.
        shown = names if len(names) <= 1000 else f"{names[:1000]}…"
        commas = ": separate the columns by commas" if len(columns) == 1 and set(columns[0]) & set(";\t|") else ""
        raise UnreadableFile("unknown_column", f"the file has columns that mean nothing here: {shown}{commas}")


def _rows(source: BinaryIO, file_format: Format) -> CsvReader | Iterator[FileRow]:
    return CsvReader(source) if file_format == "csv" else read_json(source)
