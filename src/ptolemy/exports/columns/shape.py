"""Lines of COPY to rows of a file, by columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Protocol
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.database.copying import DELIMITER, NULL
from ptolemy.engine.interchange import CustomFields, Interchange
from ptolemy.exports.cells import NumberTypes, cell_kinds
from ptolemy.formats.cells import Cells, instants, joined, joined_cells, or_null, parsed
from ptolemy.formats.csv import guard, quoted
from ptolemy.formats.detection import NO_LINES
from ptolemy.formats.parquet import ParquetWriter
from ptolemy.kernel.json import decode_exact, encode
from ptolemy.resources.time_series_values import TimeSeriesValues

PICKED = (
    "id, instrument_id, type_id, timestamp at time zone 'UTC', value,"
    " created_at at time zone 'UTC', updated_at at time zone 'UTC', archived_at at time zone 'UTC',"
    " case when field_values <> '{}' then field_values end"
)
_COLUMNS = ("id", "instrument", "series", "timestamp", "value", "created", "updated", "archived", "fields")


class Shape(Protocol):
    """One form of file."""

    def begin(self, out: BinaryIO) -> None: ...

    def write(self, out: BinaryIO, lines: bytes) -> int:
        """Writes the rows that whole lines of COPY hold; answers how many."""
        ...

    def end(self, out: BinaryIO) -> None: ...


class JsonShape:
    """`[`, an object a line, `]`; or an object a line alone. Keys in the order of the columns."""

    def __init__(
        self, instruments: Mapping[str, str], series: Mapping[str, str], custom: CustomFields, *, lines: bool = False
    ) -> None:
        self._lines, self._first = lines, True
        self._before, self._after = ("", "\n") if lines else (",\n", "")
        self._instrument = _Fragments(lambda id: f'","instrument_id":"{id}","instrument":{_json(instruments.get(id))}')
        self._series = _Fragments(lambda id: f',"type_id":{_json(series.get(id))},"timestamp":"')
        self._fields = _Fields(lambda type_id, values: _json(custom.ordered(type_id, values)))

    def begin(self, out: BinaryIO) -> None:
        out.write(b"" if self._lines else b"[")

    def end(self, out: BinaryIO) -> None:
        if not self._lines:
            out.write(b"\n]\n")
        elif self._first:
            out.write(NO_LINES)

    def write(self, out: BinaryIO, lines: bytes) -> int:
        cells = _parsed(lines)
        content = joined(
            self._before + '{"id":"',
            cells["id"],
            self._instrument.of(cells["instrument"]),
            self._series.of(cells["series"]),
            instants(cells["timestamp"]),
            'Z","value":"',
            cells["value"],
            '","field_values":',
            self._fields.of(cells["series"], cells["fields"], "{}"),
            ',"created_at":"',
            instants(cells["created"]),
            'Z","updated_at":"',
            instants(cells["updated"]),
            'Z","archived_at":',
            or_null(
                cells["archived"],
                lambda archived: joined_cells('"', instants(archived), 'Z"}' + self._after),
                "null}" + self._after,
            ),
        )
        out.write(content[1:] if self._first and not self._lines else content)
        self._first = False
        return len(cells["id"])


class CsvShape:
    """A header, then a row a value; one column for each custom field."""

    def __init__(self, instruments: Mapping[str, str], series: Mapping[str, str], custom: CustomFields) -> None:
        keys = custom.keys
        columns = ["id", "instrument_id", "instrument", "type_id", "timestamp", "value"]
        columns += [*(f"field.{key}" for key in keys), "created_at", "updated_at", "archived_at"]
        self._head = (",".join(map(quoted, columns)) + "\n").encode()
        self._nothing = "," * len(keys)
        self._instrument = _Fragments(lambda id: f",{id},{_cell(instruments.get(id))}")
        self._series = _Fragments(lambda id: f",{_cell(series.get(id))},")
        self._fields = _Fields(lambda type_id, values: _field_cells(custom, keys, type_id, values))

    def begin(self, out: BinaryIO) -> None:
        out.write(self._head)

    def end(self, out: BinaryIO) -> None:
        """The last row ends the file."""

    def write(self, out: BinaryIO, lines: bytes) -> int:
        cells = _parsed(lines)
        content = joined(
            cells["id"],
            self._instrument.of(cells["instrument"]),
            self._series.of(cells["series"]),
            instants(cells["timestamp"]),
            "Z,",
            cells["value"],
            self._fields.of(cells["series"], cells["fields"], self._nothing),
            ",",
            instants(cells["created"]),
            "Z,",
            instants(cells["updated"]),
            "Z,",
            or_null(cells["archived"], lambda archived: joined_cells(instants(archived), "Z\n"), "\n"),
        )
        out.write(content)
        return len(cells["id"])


class ParquetShape:
    """A column for each field; the texts of CSV without its guard."""

    def __init__(
        self,
        instruments: Mapping[str, str],
        series: Mapping[str, str],
        custom: CustomFields,
        numbers: NumberTypes,
    ) -> None:
        self._kinds = cell_kinds(Interchange(TimeSeriesValues), custom)
        self._keys, self._numbers = custom.keys, numbers
        self._instrument = _Fragments(lambda id: instruments.get(id, ""))
        self._series = _Fragments(lambda id: series.get(id, ""))

    def begin(self, out: BinaryIO) -> None:
        self._writer = ParquetWriter(out, self._kinds, self._numbers)

    def end(self, out: BinaryIO) -> None:
        self._writer.end()

    def write(self, out: BinaryIO, lines: bytes) -> int:
        cells = _parsed(lines)
        columns = [cells["id"], cells["instrument"], self._instrument.of(cells["instrument"])]
        columns += [self._series.of(cells["series"]), _in_utc(cells["timestamp"]), cells["value"]]
        columns += self._fields(cells["fields"])
        columns += [_in_utc(cells[name]) for name in ("created", "updated", "archived")]
        self._writer.write(columns)
        return len(cells["id"])

    def _fields(self, stored: pa.Array[Any]) -> list[pa.Array[Any]]:
        if stored.null_count == len(stored):
            return [pa.nulls(len(stored), pa.string())] * len(self._keys)
        rows = [decode_exact(values) if values else {} for values in stored.to_pylist()]
        return [pa.array([row.get(key) for row in rows], pa.string()) for key in self._keys]


class _Fragments:
    """What each row of one parent has in common, made once a parent."""

    def __init__(self, make: Callable[[str], str]) -> None:
        self._make = make
        self._made: dict[str, str] = {}

    def of(self, ids: pa.Array[Any]) -> Cells:
        encoded = ids.dictionary_encode()
        fragments = []
        for id in encoded.dictionary.to_pylist():
            fragment = self._made.get(id)
            if fragment is None:
                fragment = self._made[id] = self._make(id)
            fragments.append(fragment)
        return pa.array(fragments, pa.string()).take(encoded.indices)


class _Fields:
    """Custom fields as a row writes them; most rows have none."""

    def __init__(self, write: Callable[[UUID, dict[str, Any]], str]) -> None:
        self._write = write

    def of(self, series: pa.Array[Any], stored: pa.Array[Any], nothing: str) -> Cells:
        if stored.null_count == len(stored):
            return nothing
        both = pc.binary_join_element_wise(series, stored, DELIMITER).dictionary_encode()
        written = []
        for each in both.dictionary.to_pylist():
            type_id, _, values = each.partition(DELIMITER)
            written.append(self._write(UUID(type_id), decode_exact(values)))
        return pa.array(written, pa.string()).take(both.indices).fill_null(nothing)


def _parsed(lines: bytes) -> Mapping[str, pa.Array[Any]]:
    return parsed(lines, _COLUMNS, delimiter=DELIMITER, null=NULL)


def _in_utc(cells: pa.Array[Any]) -> pa.Array[Any]:
    return joined_cells(cells, "Z")


def _json(value: Any) -> str:
    return encode(value).decode()


def _cell(text: str | None) -> str:
    return quoted(guard(text) or "")


def _field_cells(custom: CustomFields, keys: Sequence[str], type_id: UUID, values: Mapping[str, str | None]) -> str:
    cells = [guard(values.get(key)) if custom.is_text(type_id, key) else values.get(key) for key in keys]
    return "".join(f",{quoted(cell or '')}" for cell in cells)
