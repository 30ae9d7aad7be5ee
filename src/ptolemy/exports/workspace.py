"""The whole of a workspace as one archive: every resource, schemas and archived records too, as of one instant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.metadata import version
from typing import BinaryIO, cast

from ptolemy.catalogue import RESOURCES
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.interchange import Interchange, custom_fields
from ptolemy.engine.resource import Resource
from ptolemy.exports.columns.export import export_values
from ptolemy.exports.columns.shape import JsonShape
from ptolemy.exports.rows import json_writer, rows
from ptolemy.formats.archive import ArchiveWriter, FileWriter
from ptolemy.formats.manifest import FORMAT, FORMAT_VERSION, Manifest, Origin, encode_manifest
from ptolemy.kernel.problems import NotFound
from ptolemy.kernel.timestamps import write_timestamp
from ptolemy.resources.time_series_values import TimeSeriesValues


async def write_workspace(tx: Transaction, out: BinaryIO, check_in: Callable[[], None]) -> int:
    """Writes the archive and answers how many rows it holds; `tx` is a snapshot, and `check_in` may end it all."""
    writer = ArchiveWriter(out)
    for resource in RESOURCES:
        with writer.file(f"{resource.table}.json", resource.table) as file:
            await _write_file(tx, resource, file, check_in)
    manifest = await _manifest(tx, writer)
    await asyncio.to_thread(writer.end, encode_manifest(manifest))
    return sum(file.rows for file in writer.files)


async def _write_file(tx: Transaction, resource: Resource, file: FileWriter, check_in: Callable[[], None]) -> None:
    wanted = Sql.of("workspace_id = ?", tx.workspace_id)
    if isinstance(resource, TimeSeriesValues):
        await _write_values(tx, wanted, file, check_in)
        return
    interchange = Interchange(type(resource), with_schema=True)
    writer = json_writer(cast(BinaryIO, file), interchange, await custom_fields(tx, interchange))
    async for batch in rows(tx, interchange, wanted):
        check_in()
        await asyncio.to_thread(writer.write, batch)
    await asyncio.to_thread(writer.end)


async def _write_values(tx: Transaction, wanted: Sql, file: FileWriter, check_in: Callable[[], None]) -> None:
    found = await tx.rows(Sql.of("select id, identifier from instruments where workspace_id = ?", tx.workspace_id))
    instruments = {str(row["id"]): row["identifier"] for row in found}
    # The schema comes along with its ids, so values name their series by it.
    series = await tx.rows(Sql.of("select id from series where workspace_id = ?", tx.workspace_id))
    custom = await custom_fields(tx, Interchange(TimeSeriesValues))
    shape = JsonShape(instruments, {str(row["id"]): str(row["id"]) for row in series}, custom)
    await export_values(tx, cast(BinaryIO, file), shape, wanted, each_block=lambda _: check_in())


async def _manifest(tx: Transaction, writer: ArchiveWriter) -> Manifest:
    row = await tx.row(Sql.of("select slug, name, now() as now from workspaces where id = ?", tx.workspace_id))
    if row is None:
        raise NotFound("workspace_not_found", "the workspace was removed")
    return Manifest(
        FORMAT,
        FORMAT_VERSION,
        version("ptolemy-data"),
        write_timestamp(row["now"]),
        Origin(str(tx.workspace_id), row["slug"], row["name"]),
        writer.files,
    )
