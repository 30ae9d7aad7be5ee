"""Lines of COPY to rows of a file, by columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.database.copying import DELIMITER, NULL
from ptolemy.engine.interchange import CustomFields
from ptolemy.formats.cells import Cells, instants, joined, joined_cells, or_null, parsed
from ptolemy.formats.csv import guard, quoted
from ptolemy.kernel.json import decode_exact, encode

PICKED = (
    "id, instrument_id, type_id, timestamp at time zone 'UTC', value,"
    " created_at at time zone 'UTC', updated_at at time zone 'UTC', archived_at at time zone 'UTC',"
    " case when field_values <> '{}' then field_values end"
)
_COLUMNS = ("id", "instrument", "series", "timestamp", "value", "created", "updated", "archived", "fields")


class Shape(Protocol):
    head: bytes
    foot: bytes

    def shaped(self, lines: bytes) -> tuple[int, memoryview]:
        """How many rows whole lines hold, and their bytes in the file."""
        ...


class JsonShape:
    """`[`, an object a line, `]`; keys in the order of the columns."""

    foot: bytes = b"\n]\n"

    def __init__(self, instruments: Mapping[str, str], series: Mapping[str, str], custom: CustomFields) -> None:
        self.head, self._first = b"[", True
        self._instrument = _Fragments(lambda id: f'","instrument_id":"{id}","instrument":{_json(instruments.get(id))}')
        self._series = _Fragments(lambda id: f',"type_id":{_json(series.get(id))},"timestamp":"')
        self._fields = _Fields(custom, lambda type_id, values: _json(custom.ordered(type_id, values)))

    def shaped(self, lines: bytes) -> tuple[int, memoryview]:
        cells = parsed(lines, _COLUMNS, delimiter=DELIMITER, null=NULL)
        content = joined(
            ',\n{"id":"',
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
            or_null(cells["archived"], lambda archived: joined_cells('"', instants(archived), 'Z"}'), "null}"),
        )
        content, self._first = content[1:] if self._first else content, False
        return len(cells["id"]), content


class CsvShape:
    """A header, then a row a value; one column for each custom field."""

    foot: bytes = b""

    def __init__(self, instruments: Mapping[str, str], series: Mapping[str, str], custom: CustomFields) -> None:
        keys = custom.keys
        columns = ["id", "instrument_id", "instrument", "type_id", "timestamp", "value"]
        columns += [*(f"field.{key}" for key in keys), "created_at", "updated_at", "archived_at"]
        self.head = (",".join(map(quoted, columns)) + "\n").encode()
        self._nothing = "," * len(keys)
        self._instrument = _Fragments(lambda id: f",{id},{_cell(instruments.get(id))}")
        self._series = _Fragments(lambda id: f",{_cell(series.get(id))},")
        self._fields = _Fields(custom, lambda type_id, values: _field_cells(custom, keys, type_id, values))

    def shaped(self, lines: bytes) -> tuple[int, memoryview]:
        cells = parsed(lines, _COLUMNS, delimiter=DELIMITER, null=NULL)
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
        return len(cells["id"]), content


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

    def __init__(self, custom: CustomFields, write: Callable[[UUID, dict[str, Any]], str]) -> None:
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


def _json(value: Any) -> str:
    return encode(value).decode()


def _cell(text: str | None) -> str:
    return quoted(guard(text) or "")


def _field_cells(custom: CustomFields, keys: Sequence[str], type_id: UUID, values: Mapping[str, str | None]) -> str:
    cells = [guard(values.get(key)) if custom.is_text(type_id, key) else values.get(key) for key in keys]
    return "".join(f",{quoted(cell or '')}" for cell in cells)
