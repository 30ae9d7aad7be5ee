"""Rows of cells as rows of JSON, without the schema that they were written by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ptolemy.catalogue import RESOURCES
from ptolemy.engine.fields import Items, Json
from ptolemy.engine.interchange import Interchange, Name, column_name
from ptolemy.formats.csv import unguard

_INTERCHANGES = {resource.table: Interchange(type(resource)) for resource in RESOURCES}
_Way = Callable[[str], Any]


class CellReader:
    """The rows of a CSV or Parquet file of one resource as a JSON file has them, but for what no cell tells.

    A custom field without a value is like one that isn't there, and items stand in the order of the columns.
    """

    def __init__(self, resource: str, *, guarded: bool) -> None:
        interchange = _INTERCHANGES[resource]
        self._custom, self._prefix = interchange.custom, interchange.prefix
        self._ways, self._guarded = _ways(resource), guarded

    def read(self, cells: Mapping[str, str | None]) -> dict[str, Any]:
        """A cell that can't be read stays as it is: to take it or not is for the import."""
        row, values = dict[str, Any](), dict[str, str]()
        for name, cell in cells.items():
            text = unguard(cell) if self._guarded else cell
            if self._custom is not None and name.startswith(self._prefix):
                if text is not None:
                    values[name.removeprefix(self._prefix)] = text
            elif text is None or (way := self._ways.get(name)) is None:
                row[name] = text
            else:
                row[name] = _read(way, text)
        if self._custom is not None:
            items = [{"field_key": key, "value": value} for key, value in values.items()]
            row[self._custom.name] = items if isinstance(self._custom, Items) else values
        return row


def told_by_cells(resource: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of JSON without what no cell would tell, so that it equals the one that was read from cells."""
    custom = _INTERCHANGES[resource].custom
    values = row.get(custom.name) if custom is not None else None
    if custom is None or not values:
        return row
    try:
        pairs = {each["field_key"]: each["value"] for each in values} if isinstance(custom, Items) else dict(values)
    except (KeyError, TypeError, ValueError):
        return row
    return {**row, custom.name: {key: value for key, value in pairs.items() if value is not None}}


@cache
def _ways(resource: str) -> Mapping[str, _Way]:
    """How the cells of each column are read that aren't just text."""
    found: dict[str, _Way] = {}
    for column in _INTERCHANGES[resource].columns:
        if isinstance(column, Name) or column.is_text or column is _INTERCHANGES[resource].custom:
            continue
        found[column_name(column)] = column.accept_cell if isinstance(column, Json) else _shown(column)
    return found


def _shown(of: Any) -> _Way:
    return lambda text: of.show(of.accept_cell(text))


def _read(way: _Way, text: str) -> Any:
    try:
        return way(text)
    except ValueError:
        return text
