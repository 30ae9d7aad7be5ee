"""Asking for an export, and asking for its end."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from ptolemy.accounts.asking import ask_for
from ptolemy.catalogue import EXPORTED, asker_of
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.engine.filters import Condition
from ptolemy.events import log
from ptolemy.exports.cells import Numbers
from ptolemy.exports.resource import Exports
from ptolemy.exports.selection import wanted_rows
from ptolemy.formats.detection import Format
from ptolemy.jobs import records
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid

KIND = "export"

Compression = Literal["gzip"]


async def request_export(
    tx: Transaction,
    resource_type: str,
    file_format: Format | Literal["zip"],
    compression: Compression | None,
    *,
    numbers: Numbers | None,
    include_archived: bool,
    condition: Condition | None,
) -> tuple[Row, list[str]]:
    """The queued export, and warnings; what can't be done is refused now rather than in the job."""
    warnings: list[str] = []
    if file_format != "zip":
        _refuse_for_format(file_format, compression, numbers)
        resource = type(EXPORTED[resource_type])
        warnings = (await wanted_rows(tx, resource, condition, include_archived=include_archived)).warnings
    stored: dict[str, Any] | None = None
    if condition is not None:
        stored = condition.model_dump(mode="python", by_alias=True, exclude_unset=True)
    row = await ask_for(
        tx,
        KIND,
        asker_of(resource_type),
        Sql.of(
            "insert into exports (workspace_id, id, resource_type, format, compression, numbers, include_archived,"
            " filter, status, rows_written, created_by)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, 'queued', 0, ?)"
            " returning *",
            tx.workspace_id,
            uuid7(),
            resource_type,
            file_format,
            compression,
            numbers,
            include_archived,
            None if stored is None else encode(stored).decode(),
            tx.actor.id,
        ),
    )
    return row, warnings


def _refuse_for_format(file_format: Format, compression: Compression | None, numbers: Numbers | None) -> None:
    if file_format == "parquet" and compression:
        raise Invalid(FieldError("compression", "not_for_format", "must be left out: Parquet is compressed inside"))
    if file_format != "parquet" and numbers:
        message = f"must be left out: it is for parquet, {file_format} holds every number as it is"
        raise Invalid(FieldError("numbers", "not_for_format", message))


def ended(export_id: UUID, before: str, status: str) -> log.Entry:
    """The event of an export's end."""
    return log.Entry(f"export.{status}", "export", export_id, changes={"status": {"from": before, "to": status}})


async def cancel_export(tx: Transaction, key: str) -> Row:
    """Ends an export that hasn't ended; one that has stays as it is."""
    row = await lookup.one(tx, Exports, key)
    if await records.cancel(tx, "exports", row["id"]):
        await log.record(tx, [ended(row["id"], row["status"], "cancelled")])
    return await lookup.one(tx, Exports, key)
