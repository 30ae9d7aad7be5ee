"""Columns of cells, as COPY writes them in blocks, and rows of text made of them; without an object a cell."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

Cells = Any  # an Arrow array of strings, or one string for all rows


def parsed(
    lines: bytes,
    names: Sequence[str],
    *,
    delimiter: str,
    null: str,
    types: Mapping[str, pa.DataType] | None = None,
) -> Mapping[str, pa.Array[Any]]:
    """The columns of whole lines, by name: strings unless `types` says otherwise."""
    table = pa_csv.read_csv(
        io.BytesIO(lines),
        read_options=pa_csv.ReadOptions(column_names=list(names), use_threads=False, block_size=len(lines) + 1),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, quote_char=False, escape_char=False),
        convert_options=pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in names} | dict(types or {}),
            null_values=[null],
            strings_can_be_null=True,
        ),
    )
    return {name: column.combine_chunks() for name, column in zip(names, table.columns, strict=True)}


def instants(cells: pa.Array[Any]) -> pa.Array[Any]:
    """As ISO 8601 separates date and time; PostgreSQL writes fractions as we do, without trailing zeros."""
    return pc.replace_substring(cells, pattern=" ", replacement="T", max_replacements=1)


def or_null(cells: pa.Array[Any], write: Callable[[pa.Array[Any]], pa.Array[Any]], null: str) -> Cells:
    """`write` of the cells that there are, and `null` for the others."""
    return null if cells.null_count == len(cells) else write(cells).fill_null(null)


def joined_cells(*parts: Cells) -> pa.Array[Any]:
    return pc.binary_join_element_wise(*(pa.scalar(part) if isinstance(part, str) else part for part in parts), "")


def joined(*parts: Cells) -> memoryview:
    """All rows, one after the other."""
    cells = joined_cells(*parts)
    _, offsets, content = cells.buffers()
    at = np.frombuffer(offsets, dtype=np.int32)
    return memoryview(content)[int(at[cells.offset]) : int(at[cells.offset + len(cells)])]
