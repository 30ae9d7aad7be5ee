"""Rows of a file to writes, for every resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ptolemy.engine.fields import Field, Reference
from ptolemy.engine.interchange import Column, Interchange, Name, column_name
from ptolemy.engine.resource import ID, Resource, times
from ptolemy.engine.write import Write, creation
from ptolemy.formats.csv import unguard
from ptolemy.formats.rows import FileRow
from ptolemy.kernel.problems import FieldError


@dataclass
class _Taken:
    """What a row says, sorted by what it is said of."""

    sent: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)


class RowReader:
    """Turns rows into writes: `write` for one row, `unknown_columns` before the first."""

    def __init__(self, resource: Resource, *, cells: bool) -> None:
        """`cells` says that values are CSV cells rather than JSON values."""
        self._resource, self._cells = resource, cells
        self._interchange = Interchange(type(resource))
        self._columns: Mapping[str, Column] = {column_name(column): column for column in self._interchange.columns}
        self._keep = {ID.name: ID, **times(type(resource))}

    def unknown_columns(self, columns: Sequence[str], custom_keys: Sequence[str]) -> list[str]:
        """The columns of a CSV header that mean nothing here."""
        return [column for column in columns if column not in self._columns and self._key(column) not in custom_keys]

    def write(self, row: FileRow) -> Write:
        """The write that the row asks for; what is wrong with it already stands in its errors."""
        taken = _Taken()
        for name, value in row.values.items():
            try:
                self._take(taken, name, value)
            except ValueError as reason:
                taken.errors.append(FieldError(name, _fault(self._columns.get(name)), str(reason)))
        self._pair(taken)
        recorded = taken.kept.get("id") is not None
        if not recorded:
            # Of a new record they are the product's to fill in; one of a backup keeps what it was exported with.
            taken.sent = {name: value for name, value in taken.sent.items() if not self._resource.fields[name].derived}
        if self._cells and self._interchange.custom and not recorded:
            custom = taken.sent.get(self._interchange.custom.name, {})
            taken.sent[self._interchange.custom.name] = {key: cell for key, cell in custom.items() if cell is not None}
        return creation(
            self._resource, taken.sent, recorded=recorded, beside=taken.beside, kept=taken.kept, errors=taken.errors
        )

    def _take(self, taken: _Taken, name: str, value: Any) -> None:
        column, key = self._columns.get(name), self._key(name)
        if name in self._keep:
            taken.kept[name] = None if value is None else self._keep[name].accept(value)
        elif isinstance(column, Name):
            if value is not None:
                taken.beside.setdefault(column.reference.name, {})[column.column] = _name(column, value, self._cells)
        elif column is not None and not (self._cells and column is self._interchange.custom):
            if value is not None:
                taken.sent[name] = self._accepted(column, value)
        elif key is not None and self._cells and self._interchange.custom:
            taken.sent.setdefault(self._interchange.custom.name, {})[key] = unguard(value)
        else:
            taken.errors.append(FieldError(name, "unknown_field", "is not known here"))

    def _accepted(self, of: Field[Any], value: Any) -> Any:
        if not self._cells:
            return of.accept(value)
        return of.accept_cell(unguard(value) or "" if of.is_text else value)

    def _pair(self, taken: _Taken) -> None:
        """Identifiers beside a reference become its key: one, or the natural key when all of it is there."""
        for name, given in list(taken.beside.items()):
            reference = self._resource.fields[name]
            assert isinstance(reference, Reference)  # noqa: S101 - only references have names beside them
            tokens = [each.column for each in self._interchange.names if each.reference is reference]
            if len(tokens) == 1:
                taken.beside[name] = given[tokens[0]]
            elif given.keys() == set(tokens):
                taken.beside[name] = tuple(given[token] for token in tokens)
            else:
                del taken.beside[name]
                missing = next(token for token in tokens if token not in given)
                if name not in taken.sent:
                    taken.errors.append(FieldError(missing, "required", f"must stand beside {next(iter(given))}"))

    def _key(self, column: str) -> str | None:
        """The key of a custom field that a CSV column carries."""
        if self._interchange.custom is None or not column.startswith(self._interchange.prefix):
            return None
        return column.removeprefix(self._interchange.prefix)


def _name(column: Name, value: Any, cells: bool) -> str:
    text = unguard(value) if cells else value
    if not isinstance(text, str):
        raise ValueError("must be an identifier")
    # The key of the record that the column names; `accept` is typed as the UUID that it becomes.
    return str(column.path[-1].accept(text))


def _fault(column: Column | None) -> str:
    return "invalid_identifier" if column is None or isinstance(column, Name) else column.fault
