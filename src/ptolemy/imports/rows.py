"""Rows of a file to writes, for every resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ptolemy.database.transaction import Row
from ptolemy.engine.fields import Field, Reference
from ptolemy.engine.interchange import Column, Interchange, Name, column_name
from ptolemy.engine.resource import ID, Resource, times
from ptolemy.engine.write import Write, creation, loaded
from ptolemy.formats.csv import unguard
from ptolemy.formats.detection import Format
from ptolemy.formats.rows import FileRow
from ptolemy.kernel.problems import FieldError

Form = Literal["json", "cells", "guarded"]
"""What values are: JSON, cells of text, or cells in which `guard` has made formulas harmless."""

_FORMS: Mapping[Format, Form] = {"csv": "guarded", "parquet": "cells", "json": "json", "ndjson": "json"}


def form_of(file_format: Format) -> Form:
    return _FORMS[file_format]


@dataclass(slots=True)
class Taken:
    """What a row says, sorted by what it is said of."""

    row: FileRow
    sent: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, str | None] = field(default_factory=dict)
    """Custom fields that have cells of their own."""
    cleared: set[str] = field(default_factory=set)
    """Columns that are there and null."""
    beside: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)

    @property
    def is_recorded(self) -> bool:
        return self.kept.get("id") is not None


class RowReader:
    """Turns rows into writes: `read` for one row, `unknown_columns` before the first."""

    def __init__(self, resource: Resource, form: Form) -> None:
        self.resource, self._form = resource, form
        self._interchange = Interchange(type(resource))
        self._prefix = self._interchange.prefix
        self._columns: Mapping[str, Column] = {column_name(column): column for column in self._interchange.columns}
        self._keep = {ID.name: ID, **times(type(resource))}
        self._ways: dict[str, Callable[[Taken, Any], None]] = {}
        derived = {name for name, of in resource.fields.items() if of.derived}
        self._filled_in = derived - {resource.named_by}

    def unknown_columns(self, columns: Sequence[str], custom_keys: Sequence[str]) -> list[str]:
        """The columns of a file with a header that mean nothing here."""
        custom = self._interchange.custom
        return [
            column
            for column in columns
            if (column not in self._columns or self._columns[column] is custom) and self._key(column) not in custom_keys
        ]

    def read(self, row: FileRow) -> Taken:
        """What the row says; what is wrong with it already stands in its errors."""
        taken = Taken(row)
        if row.fault:
            taken.errors.append(row.fault)
        ways = self._ways
        for name, value in row.values.items():
            try:
                (ways.get(name) or self._way(name))(taken, value)
            except ValueError as reason:
                taken.errors.append(FieldError(name, _fault(self._columns.get(name)), str(reason)))
        if taken.beside:
            self._pair(taken)
        if not taken.is_recorded:
            # Of a new record they are the product's to fill in; one of a backup keeps what it was exported with.
            # But for the name, which only says which record the row is about.
            taken.sent = {name: value for name, value in taken.sent.items() if name not in self._filled_in}
        return taken

    def creation(self, taken: Taken) -> Write:
        """The record that the row would be."""
        sent, recorded, blank = taken.sent, taken.is_recorded, list[str]()
        if self._interchange.custom and self._form != "json":
            cells = taken.custom
            if not recorded:
                # A type has some of the fields of the file; the cells of the others are empty.
                blank = [key for key, cell in cells.items() if cell is None]
                cells = {key: cell for key, cell in cells.items() if cell is not None} if blank else cells
            sent = {**sent, self._interchange.custom.name: cells}
        return creation(
            self.resource,
            sent,
            recorded=recorded,
            beside=taken.beside,
            kept=taken.kept,
            errors=[*taken.errors],
            blank=blank,
        )

    def change(self, taken: Taken, old: Row) -> Write:
        """What the row changes of a record: a column that is null makes it null, one that isn't there leaves it."""
        sent: dict[str, Any] = {name: None for name in taken.cleared if name in self.resource.fields} | taken.sent
        new = loaded(self.resource, old) | sent
        for of in self.resource.references():
            if of.name in sent:
                continue
            names = [name.column for name in self._interchange.names if name.reference is of]
            if of.name in taken.beside:
                # The name decides alone: nothing but it was sent.
                new[of.name] = None
            elif names and taken.cleared.issuperset(names):
                sent[of.name] = new[of.name] = None
        if custom := self._interchange.custom:
            sent.pop(custom.name, None) if custom.name in taken.cleared else None
            if self._form != "json":
                stored = custom.load(old[custom.name])
                cells = taken.custom.items()
                sent[custom.name] = {key: cell for key, cell in cells if cell is not None or key in stored}
        same = taken.kept.get("id") == old["id"]
        kept = {"archived_at": taken.kept["archived_at"]} if same and "archived_at" in taken.kept else {}
        return Write("updated", old, new, sent, same, taken.beside, kept, errors=[*taken.errors])

    def _way(self, name: str) -> Callable[[Taken, Any], None]:
        """What is done with the values of a column."""
        if (way := self._new_way(name)) is None:
            # Not remembered: a bad file could have a million such names.
            return lambda taken, _: taken.errors.append(FieldError(name, "unknown_field", "is not known here"))
        self._ways[name] = way
        return way

    def _new_way(self, name: str) -> Callable[[Taken, Any], None] | None:
        column, key = self._columns.get(name), self._key(name)
        guarded, cells = self._form == "guarded", self._form != "json"
        if name in self._keep:
            accept = self._keep[name].accept

            def keep(taken: Taken, value: Any) -> None:
                taken.kept[name] = None if value is None else accept(value)

            return keep
        if isinstance(column, Name):
            reference, target = column.reference.name, column.path[-1]

            def beside(taken: Taken, value: Any) -> None:
                if value is None:
                    taken.cleared.add(name)
                else:
                    text = unguard(value) if guarded else value
                    taken.beside.setdefault(reference, {})[name] = _name(target, text)

            return beside
        if column is not None and not (cells and column is self._interchange.custom):
            accepted = self._accepting(column)

            def send(taken: Taken, value: Any) -> None:
                if value is None:
                    taken.cleared.add(name)
                else:
                    taken.sent[name] = accepted(value)

            return send
        if key is not None and cells:

            def customize(taken: Taken, value: Any) -> None:
                taken.custom[key] = unguard(value) if guarded else value

            return customize

        return None

    def _accepting(self, of: Field[Any]) -> Callable[[Any], Any]:
        if self._form == "json":
            return of.accept
        if self._form == "guarded" and of.is_text:
            return lambda value: of.accept_cell(unguard(value) or "")
        return of.accept_cell

    def _pair(self, taken: Taken) -> None:
        """Identifiers beside a reference become its key: one, or the natural key when all of it is there."""
        for name, given in list(taken.beside.items()):
            reference = self.resource.fields[name]
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
        """The key of a custom field that a column of cells carries."""
        if self._interchange.custom is None or not column.startswith(self._prefix):
            return None
        return column.removeprefix(self._prefix)


def _name(target: Reference, text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError("must be an identifier")
    # The key of the record that the column names; `accept` is typed as the UUID that it becomes.
    return str(target.accept(text))


def _fault(column: Column | None) -> str:
    return "invalid_identifier" if column is None or isinstance(column, Name) else column.fault
