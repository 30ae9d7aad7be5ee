"""Asking for an import, and asking for its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from ptolemy.accounts.asking import ask_for
from ptolemy.catalogue import EXPORTED, asker_of
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.events import log
from ptolemy.imports.keys import RowKey
from ptolemy.imports.resource import Imports
from ptolemy.imports.rows import RowReader
from ptolemy.jobs import records

KIND = "import"

OnError = Literal["abort", "continue"]


@dataclass(frozen=True)
class Options:
    """How an import goes about its rows."""

    on_error: OnError = "abort"
    identifier_column: str | None = None
    """Rows change the records that this column names; None: every row is a new record."""
    dry_run: bool = False
    """Everything is checked and counted, nothing stays."""
    into_existing: bool = False
    """Of a whole workspace: what is there becomes what the backup says of it."""


@dataclass(frozen=True)
class Upload:
    """A file that has arrived and lies in the file store under the key of its import."""

    import_id: UUID
    file_name: str | None
    file_size: int
    sha256: str


def file_key(workspace_id: UUID, import_id: UUID) -> str:
    return f"{workspace_id}/imports/{import_id}"


async def request_import(
    tx: Transaction, resource_type: str, options: Options, upload: Upload
) -> tuple[Row, list[str]]:
    """The queued import, and warnings; raises `Invalid` for a column that names no record."""
    if options.identifier_column is not None:
        resource = EXPORTED[resource_type]
        await RowKey(resource, options.identifier_column, RowReader(resource, "json")).prepare(tx)
    running = await tx.value(
        Sql.of(
            "select id from imports"
            " where workspace_id = ? and sha256 = ? and status in ('queued', 'processing') limit 1",
            tx.workspace_id,
            upload.sha256,
        )
    )
    row = await ask_for(
        tx,
        KIND,
        asker_of(resource_type),
        Sql.of(
            "insert into imports (workspace_id, id, resource_type, status, on_error, identifier_column, dry_run,"
            " into_existing, file_name, file_size, sha256, rows_processed, rows_imported, rows_updated, rows_failed,"
            " error_summary, created_by)"
            " values (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, '[]', ?)"
            " returning *",
            tx.workspace_id,
            upload.import_id,
            resource_type,
            options.on_error,
            options.identifier_column,
            options.dry_run,
            options.into_existing,
            upload.file_name,
            upload.file_size,
            upload.sha256,
            tx.actor.id,
        ),
    )
    return row, [f"the same file is being imported already, by import {running}"] if running else []


async def cancel_import(tx: Transaction, key: str) -> Row:
    """Ends an import that hasn't ended; one that has stays as it is. An `abort` import leaves nothing behind."""
    row = await lookup.one(tx, Imports, key)
    if cancelled := await records.cancel(tx, "imports", row["id"]):
        counts = {name: cancelled[name] for name in ("rows_imported", "rows_updated", "rows_failed")}
        await log.record(tx, [ended(row["id"], "cancelled", counts)])
    return await lookup.one(tx, Imports, key)


def ended(import_id: UUID, status: str, found: Mapping[str, Any]) -> log.Entry:
    """The event of an import's end, with what it came to."""
    return log.Entry(f"import.{status}", "import", import_id, changes=log.appeared(found))


async def first_errors(
    tx: Transaction, import_id: UUID, *, limit: int, after: tuple[int, UUID] | None = None
) -> list[Row]:
    """Failed rows in the order of the file, behind `after`."""
    behind = Sql.of(' and ("row", id) > (?, ?)', *after) if after else Sql("")
    return await tx.rows(
        Sql(
            'select id, "row", line, field, code, message from import_errors'
            f' where workspace_id = ? and import_id = ?{behind.text} order by "row", id limit {int(limit)}',
            (tx.workspace_id, import_id, *behind.args),
        )
    )
