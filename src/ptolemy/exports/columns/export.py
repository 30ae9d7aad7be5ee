"""Scalar values exported by columns: the bytes of the row by row export, at nearly the speed of COPY itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import BinaryIO

from ptolemy.database.copying import copy_lines
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.interchange import CustomFields, Interchange, custom_fields
from ptolemy.exports.columns.shape import PICKED, CsvShape, JsonShape, Shape
from ptolemy.formats.detection import Format
from ptolemy.resources.time_series_values import TimeSeriesValues


async def export_values(
    tx: Transaction,
    out: BinaryIO,
    format: Format,
    wanted: Sql,
    *,
    each_block: Callable[[int], None] = lambda rows: None,
) -> int:
    """Writes the wanted values in order of id and answers how many; `tx` is a snapshot.

    `wanted` is a condition on the table, `workspace_id` included. `each_block` hears the count of rows so far; what it
    raises ends the export.
    """
    shape = await _shape(tx, format)
    select = Sql(f"select {PICKED} from time_series_values where {wanted.text} order by id", wanted.args)

    def write(lines: bytes) -> int:
        count, content = shape.shaped(lines)
        out.write(content)
        return count

    await asyncio.to_thread(out.write, shape.head)
    rows = await copy_lines(tx, select, write, each_block)
    await asyncio.to_thread(out.write, shape.foot)
    return rows


async def _shape(tx: Transaction, format: Format) -> Shape:
    custom: CustomFields = await custom_fields(tx, Interchange(TimeSeriesValues))
    names = {}
    for table in ("instruments", "series"):
        found = await tx.rows(Sql.of(f"select id, identifier from {table} where workspace_id = ?", tx.workspace_id))
        names[table] = {str(row["id"]): row["identifier"] for row in found}
    return (JsonShape if format == "json" else CsvShape)(names["instruments"], names["series"], custom)
