"""One series as JSON columns and as CSV, made of blocks of its lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from ptolemy.database.copying import DELIMITER, NULL
from ptolemy.formats.cells import Cells, instants, joined, joined_cells, or_null, parsed
from ptolemy.formats.csv import guard, quoted
from ptolemy.kernel.json import encode
from ptolemy.series.columns import TIMESTAMP, Column, Layout
from ptolemy.series.spool import Spool


class Form(Protocol):
    """Takes a series block by block, then puts the answer together."""

    def take(self, lines: bytes) -> int:
        """Shapes whole lines, and answers how many there are."""
        ...

    def finish(self, meta: Mapping[str, Any]) -> None:
        """Adds to the spool what makes the answer whole."""
        ...


class JsonForm:
    """`{"data": {"timestamp": […], …}, "meta": {…}}`: a list a column, numbers as text."""

    def __init__(self, layout: Layout, spool: Spool) -> None:
        self._layout, self._spool = layout, spool
        self._files = {name: spool.file() for name in layout.names}

    def take(self, lines: bytes) -> int:
        cells = _cells(lines, self._layout)
        self._files[TIMESTAMP].write(joined('"', instants(cells[TIMESTAMP]), 'Z",'))
        for column in self._layout.columns:
            self._files[column.name].write(joined(_written(column, cells[column.name]), ","))
        return len(cells[TIMESTAMP])

    def finish(self, meta: Mapping[str, Any]) -> None:
        before = b'{"data":{'
        for name, file in self._files.items():
            self._spool.add(before + encode(name) + b":[")
            # Every cell has a comma behind it; the last one has none.
            file.truncate(max(0, file.tell() - 1))
            self._spool.add(file)
            before = b"],"
        self._spool.add(b']},"meta":' + encode(meta) + b"}")


def _written(column: Column, cells: Cells) -> Any:
    if column.kind == "text":
        return cells.fill_null("null")  # JSON already
    if cells.null_count == len(cells):
        return pa.array(["null"] * len(cells), pa.string())
    return joined_cells('"', cells, '"').fill_null("null")


class CsvForm:
    """A header, then a row a value; an empty cell is null. Texts are guarded as in exports."""

    def __init__(self, layout: Layout, spool: Spool) -> None:
        self._layout, self._spool = layout, spool
        self._file = spool.file()
        self._file.write((",".join(map(quoted, layout.names)) + "\n").encode())

    def take(self, lines: bytes) -> int:
        cells = _cells(lines, self._layout)
        parts: list[Any] = [instants(cells[TIMESTAMP]), "Z"]
        for column in self._layout.columns:
            parts += [",", _cell(column, cells[column.name])]
        self._file.write(joined(*parts, "\n"))
        return len(cells[TIMESTAMP])

    def finish(self, meta: Mapping[str, Any]) -> None:
        del meta
        self._spool.add(self._file)


def _cell(column: Column, cells: Cells) -> Any:
    if column.kind == "text":
        return pa.array([quoted(guard(text) or "") for text in texts(cells)], pa.string())
    return or_null(cells, lambda there: there, "")


def _cells(lines: bytes, layout: Layout) -> Mapping[str, Cells]:
    return parsed(lines, layout.names, delimiter=DELIMITER, null=NULL)


def texts(cells: Cells) -> list[str | None]:
    """What cells of JSON say."""
    found: list[str | None] = msgspec.json.decode(b"[%b]" % bytes(joined(cells.fill_null("null"), ","))[:-1])
    return found
