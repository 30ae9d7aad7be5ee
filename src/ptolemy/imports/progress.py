"""How far an import is, as its row in the database says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.imports.row_errors import RowError
from ptolemy.kernel.identifiers import uuid7s
from ptolemy.kernel.json import decode_exact, encode

_FIRST_ROWS = 10
_MOST_GROUPS = 100
"""Of a file whose every row has unknown keys of its own, further errors are counted by their code alone."""
_LONGEST_FIELD = 300
"""Letters of a field that are told: a key of JSON may be as long as its file."""


class Outcome(NamedTuple):
    """What became of one batch: its rows, those created, those changed and those that change nothing, and the errors
    of all others.
    """

    rows: int
    imported: int
    errors: Sequence[RowError] = ()
    updated: int = 0
    unchanged: int = 0

    @property
    def failed(self) -> int:
        """One row may have several errors."""
        return len({error.row for error in self.errors})

    def plus(self, other: Outcome) -> Outcome:
        """Both, of different rows."""
        return Outcome(
            self.rows + other.rows,
            self.imported + other.imported,
            [*self.errors, *other.errors],
            self.updated + other.updated,
            self.unchanged + other.unchanged,
        )


class _Group(NamedTuple):
    """Errors that are counted together."""

    file: str | None
    code: str
    field: str | None


@dataclass
class Progress:
    processed: int = 0
    imported: int = 0
    updated: int = 0
    failed: int = 0
    summary: dict[_Group, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Row) -> Progress:
        """Where a `continue` import stands: its progress was committed with its rows."""
        entries = decode_exact(row["error_summary"])
        summary = {_Group(entry.get("file"), entry["code"], entry["field"]): entry for entry in entries}
        return cls(row["rows_processed"], row["rows_imported"], row["rows_updated"], row["rows_failed"], summary)

    def add(self, outcome: Outcome, file: str | None = None) -> None:
        """`file` is the one of several that the rows are of."""
        self.processed += outcome.rows
        self.imported += outcome.imported
        self.updated += outcome.updated
        self.failed += outcome.failed
        for error in outcome.errors:
            entry = self._entry(_Group(file, error.code, _told(error.field)))
            entry["count"] += 1
            if len(entry["first_rows"]) < _FIRST_ROWS:
                entry["first_rows"].append(error.row)

    def _entry(self, group: _Group) -> dict[str, Any]:
        if group not in self.summary and len(self.summary) >= _MOST_GROUPS:
            group = group._replace(field=None)
        named = {name: value for name, value in group._asdict().items() if name != "file" or value is not None}
        return self.summary.setdefault(group, {**named, "count": 0, "first_rows": []})


def _told(field: str | None) -> str | None:
    return field if field is None or len(field) <= _LONGEST_FIELD else f"{field[:_LONGEST_FIELD]}…"


async def store_progress(tx: Transaction, import_id: UUID, progress: Progress, *, kept: bool) -> None:
    """`kept` says that this commit makes rows true: nothing is imported yet while an `abort` import is under way."""
    statement = Sql.of(
        "update imports"
        " set rows_processed = ?, rows_imported = ?, rows_updated = ?, rows_failed = ?, error_summary = ?,"
        " updated_at = now(), recorded_at = now()"
        " where workspace_id = ? and id = ?",
        progress.processed,
        progress.imported if kept else 0,
        progress.updated if kept else 0,
        progress.failed,
        encode(list(progress.summary.values())).decode(),
        tx.workspace_id,
        import_id,
    )
    await tx.run(statement)


async def store_files(tx: Transaction, import_id: UUID, counts: Sequence[Any]) -> None:
    """What became of each file of a whole workspace, as dataclasses whose fields are the answer's."""
    await tx.run(
        Sql.of(
            "update imports set files = ? where workspace_id = ? and id = ?",
            encode(counts).decode(),
            tx.workspace_id,
            import_id,
        )
    )


async def store_errors(tx: Transaction, import_id: UUID, errors: Sequence[RowError]) -> None:
    if not errors:
        return
    statement = Sql.of(
        'insert into import_errors (workspace_id, import_id, id, "row", line, field, code, message)'
        " select ?, ?, * from unnest(?::uuid[], ?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[])"
        # Without `returning` Citus would COPY to the shards, which row-level security refuses.
        " returning id",
        tx.workspace_id,
        import_id,
        uuid7s(len(errors)),
        *(list(column) for column in zip(*[error._replace(field=_told(error.field)) for error in errors], strict=True)),
    )
    await tx.run(statement)
