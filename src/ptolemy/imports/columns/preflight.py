"""What a file of scalar values speaks of, read by columns: the whole file, before its first row goes in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.formats.columns import ColumnsBlock, read_csv_columns
from ptolemy.formats.detection import Format
from ptolemy.imports.columns.from_json import read_json_columns
from ptolemy.imports.preflight import Spoken
from ptolemy.kernel.json import decode_exact
from ptolemy.resources.time_series_values import TimeSeriesValues

_FIELD = "field."


def spoken_values(source: BinaryIO, format: Format) -> tuple[Sequence[str], Spoken]:
    """The columns of a CSV file, and the series of the rows that carry an `id`, each with the keys of its fields."""
    columns, blocks = ([], read_json_columns(source)) if format == "json" else read_csv_columns(source)
    found: dict[str, set[str]] = defaultdict(set)
    for block in blocks if "id" in columns or format == "json" else ():
        _hear(block, found)
    return columns, {TimeSeriesValues.type_id: found}


def _hear(block: ColumnsBlock, found: dict[str, set[str]]) -> None:
    ids, series = block.columns.get("id"), block.columns.get("type_id")
    if ids is None or series is None or ids.null_count == len(ids):
        return
    recorded = pc.and_(ids.is_valid(), series.is_valid())
    for identifier in series.filter(recorded).unique().to_pylist():
        found[identifier] |= set()
    for name, cells in block.columns.items():
        if (name == "field_values" or name.startswith(_FIELD)) and cells.null_count < len(cells):
            _hear_fields(name, series, cells, pc.and_(recorded, cells.is_valid()), found)


def _hear_fields(
    name: str, series: pa.Array[Any], cells: pa.Array[Any], recorded: pa.Array[Any], found: dict[str, set[str]]
) -> None:
    if name.startswith(_FIELD):
        for identifier in series.filter(recorded).unique().to_pylist():
            found[identifier].add(name.removeprefix(_FIELD))
        return
    pairs = set(zip(series.filter(recorded).to_pylist(), cells.filter(recorded).to_pylist(), strict=True))
    for identifier, values in pairs:
        found[identifier] |= decode_exact(values).keys()
