"""Rows of a backup into a workspace that holds data: each record becomes what the backup says of it, by its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine.resource import Resource
from ptolemy.engine.write import Write, loaded
from ptolemy.formats.rows import FileRow
from ptolemy.imports.pipeline import RowPipeline
from ptolemy.imports.progress import Outcome
from ptolemy.imports.rivals import with_rivals
from ptolemy.imports.row_errors import RowError
from ptolemy.imports.rows import RowReader, Taken

_MOST_WAITING = 2000
"""So many rows of a file wait for their turn; of more, nobody would guess which goes first."""


class BackupReader(RowReader):
    """Rows as a backup has them: a record is known by its id, and so is what it refers to."""

    def read(self, row: FileRow) -> Taken:
        taken = super().read(row)
        # The schema is referred to by its ids too. Names beside others may by now be those of other records.
        schema = {of.name for of in self.resource.references() if of.target.is_schema}
        taken.sent |= {name: key for name, key in taken.beside.items() if name in schema}
        taken.beside = {}
        return taken

    def change(self, taken: Taken, old: Row) -> Write:
        """The record as the backup has it; a column that it didn't know yet stays."""
        sent = {name: None for name in taken.cleared if name in self.resource.fields} | taken.sent
        kept = {name: value for name, value in taken.kept.items() if value is not None or name == "archived_at"}
        new = loaded(self.resource, old) | sent
        return Write("updated", old, new, sent, True, {}, kept, errors=[*taken.errors], whole=True)


class ReturningRows(RowPipeline):
    """Rows through the engine. What others of the file may still make room for waits until its end."""

    def __init__(self, resource: Resource, rows: Iterable[FileRow]) -> None:
        super().__init__(resource, rows, "json", "id", reader=BackupReader)
        self._waiting: list[Taken] = []

    async def write(self, tx: Transaction, batch: Sequence[Taken], room: int | None = None) -> Outcome:
        outcome = await super().write(tx, batch, room)
        return outcome._replace(errors=()).plus(await self.settle(tx, batch, outcome.errors))

    async def settle(self, tx: Transaction, rows: Sequence[Taken], errors: Sequence[RowError]) -> Outcome:
        """What to tell of rows that were refused, and to take off their number: those that wait are told of later."""
        refused = _by_row(rows, errors)
        room = _MOST_WAITING - len(self._waiting)
        waiting = [taken for taken, each in refused if all(error.code == "conflict" for error in each)][:room]
        self._waiting += waiting
        told = set(map(id, waiting))
        found = await with_rivals(tx, self._resource, [each for each in refused if id(each[0]) not in told])
        return Outcome(-len(waiting), 0, found)

    async def finish(self, tx: Transaction) -> Outcome:
        """Those that waited, again and again while one of them makes room for another."""
        total, waiting = Outcome(0, 0), self._waiting
        while waiting:
            outcome = await super().write(tx, waiting)
            refused = _by_row(waiting, outcome.errors)
            if not outcome.imported and not outcome.updated:
                errors = await with_rivals(tx, self._resource, refused)
                return total.plus(outcome._replace(errors=errors))
            waiting = [taken for taken, _ in refused]
            total = total.plus(outcome._replace(rows=outcome.rows - len(waiting), errors=()))
        return total


def _by_row(batch: Sequence[Taken], errors: Sequence[RowError]) -> list[tuple[Taken, list[RowError]]]:
    by_number: dict[int, list[RowError]] = {}
    for error in errors:
        by_number.setdefault(error.row, []).append(error)
    return [(taken, by_number[taken.row.number]) for taken in batch if taken.row.number in by_number]
