"""Scalar values exported by columns: the bytes of the row by row export, at nearly the speed of COPY itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import BinaryIO

from ptolemy.database.copying import copy_lines
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.interchange import CustomFields
from ptolemy.exports.cells import NumberTypes
from ptolemy.exports.columns.shape import PICKED, CsvShape, JsonShape, ParquetShape, Shape
from ptolemy.formats.detection import Format


async def export_values(
    tx: Transaction,
    out: BinaryIO,
    shape: Shape,
    wanted: Sql,
    *,
    each_block: Callable[[int], None] = lambda rows: None,
) -> int:
    """Writes the wanted values in order of id and answers how many; `tx` is a snapshot.

    `wanted` is a condition on the table, `workspace_id` included. `each_block` hears the count of rows so far; what it
    raises ends the export.
    """
    select = Sql(f"select {PICKED} from time_series_values where {wanted.text} order by id", wanted.args)
    await asyncio.to_thread(shape.begin, out)
    rows = await copy_lines(tx, select, lambda lines: shape.write(out, lines), each_block)
    await asyncio.to_thread(shape.end, out)
    return rows


async def shape_of(tx: Transaction, file_format: Format, custom: CustomFields, numbers: NumberTypes) -> Shape:
    """How values are written; the names of instruments and series are those of the snapshot."""
    names = {}
    for table in ("instruments", "series"):
        found = await tx.rows(Sql.of(f"select id, identifier from {table} where workspace_id = ?", tx.workspace_id))
        names[table] = {str(row["id"]): row["identifier"] for row in found}
    known = names["instruments"], names["series"], custom
    if file_format == "csv":
        return CsvShape(*known)
    if file_format == "parquet":
        return ParquetShape(*known, numbers)
    return JsonShape(*known, lines=file_format == "ndjson")
