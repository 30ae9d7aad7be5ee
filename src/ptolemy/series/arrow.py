"""One series as an Arrow stream: instants in microseconds of UTC, numbers exact, fields of their own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.database.copying import DELIMITER, NULL
from ptolemy.formats.cells import parsed
from ptolemy.series.columns import TIMESTAMP, Column, Layout
from ptolemy.series.forms import texts
from ptolemy.series.spool import Spool

Numbers = Literal["decimal", "float64", "string"]

_INSTANT = pa.timestamp("us", "UTC")
_MAX_DIGITS = 38
_FORMS = {
    "number": r"^-?[0-9]+(\.[0-9]+)?$",
    "date": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "boolean": r"^(true|false)$",
}


class ArrowForm:
    """Blocks are kept as strings first: only the last one tells how many digits the numbers have."""

    def __init__(self, layout: Layout, spool: Spool, numbers: Numbers) -> None:
        self._layout, self._spool, self._numbers = layout, spool, numbers
        self._seen = [_Seen(column) for column in layout.columns]
        fields = [pa.field(column.name, pa.string()) for column in layout.columns]
        self._schema = pa.schema([pa.field(TIMESTAMP, pa.timestamp("us"), nullable=False), *fields])
        self._kept = spool.file()
        self._writer = pa.ipc.new_stream(self._kept, self._schema)

    def take(self, lines: bytes) -> int:
        types = {TIMESTAMP: pa.timestamp("us")}
        cells = parsed(lines, self._layout.names, delimiter=DELIMITER, null=NULL, types=types)
        columns = [self._look(seen, cells[seen.column.name]) for seen in self._seen]
        batch = pa.record_batch([cells[TIMESTAMP], *columns], schema=self._schema)
        self._writer.write_batch(batch)
        return len(cells[TIMESTAMP])

    def _look(self, seen: _Seen, cells: pa.Array[Any]) -> pa.Array[Any]:
        if seen.column.kind == "text":
            return pa.array(texts(cells), pa.string())
        seen.look(cells)
        return cells

    def finish(self, meta: Mapping[str, Any]) -> None:
        self._writer.close()
        self._kept.seek(0)
        answer = self._spool.file()
        schema = self._answered(meta)
        with pa.ipc.open_stream(self._kept) as kept, pa.ipc.new_stream(answer, schema) as out:
            for batch in kept:
                cells = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
                out.write_batch(pa.record_batch(cells, schema=schema))
        self._kept.close()
        self._spool.add(answer)

    def _answered(self, meta: Mapping[str, Any]) -> pa.Schema:
        """The types of the answer. Its metadata says what it is, and that it is sorted."""
        fields = [pa.field(TIMESTAMP, _INSTANT, nullable=False)]
        fields += [pa.field(seen.column.name, seen.type(self._numbers)) for seen in self._seen]
        said = {name: str(value) for name, value in meta.items() if value is not None}
        return pa.schema(fields, metadata={"sorted_by": TIMESTAMP, **said})


class _Seen:
    """What the cells of one column have been so far."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self._sound, self._whole, self._scale = True, 1, 0

    def look(self, cells: pa.Array[Any]) -> None:
        # Values from before their field had its kind may be anything.
        self._sound = self._sound and _all(pc.match_substring_regex(cells, _FORMS[self.column.kind]))
        if self.column.kind != "number" or not self._sound or cells.null_count == len(cells):
            return
        point = pc.find_substring(cells, ".")
        length = pc.binary_length(cells)
        whole = pc.if_else(pc.less(point, 0), length, point)
        digits = pc.subtract(whole, pc.starts_with(cells, "-").cast(pa.int32()))
        scale = pc.if_else(pc.less(point, 0), 0, pc.subtract(pc.subtract(length, point), 1))
        self._whole = max(self._whole, pc.max(digits).as_py())
        self._scale = max(self._scale, pc.max(scale).as_py())

    def type(self, numbers: Numbers) -> pa.DataType:
        if self.column.kind == "text" or not self._sound:
            return pa.string()
        if self.column.kind == "date":
            return pa.date32()
        if self.column.kind == "boolean":
            return pa.bool_()
        if numbers == "float64":
            return pa.float64()
        fits = self._whole + self._scale <= _MAX_DIGITS
        return pa.decimal128(_MAX_DIGITS, self._scale) if numbers == "decimal" and fits else pa.string()


def _all(cells: pa.Array[Any]) -> bool:
    return pc.all(cells).as_py() is not False  # None where there is nothing but nulls
