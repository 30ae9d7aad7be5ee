"""What was found of a backup is kept with its run: whether it counts as verified hangs on it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ptolemy.backups.rehearsal import Rehearsal
from ptolemy.backups.runs import told
from ptolemy.backups.verification import Verdict, verdict_of
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events import log
from ptolemy.kernel.json import encode
from ptolemy.kernel.timestamps import write_timestamp


async def note_verdict(tx: Transaction, run: Row, verdict: Verdict) -> str | None:
    """What is wrong with the backup, in a sentence, told as an event too; None where it is good."""
    said = {"method": verdict.method, "result": verdict.result, "findings": list(verdict.findings)}
    await tx.run(
        Sql.of(
            f"update backups set verification = ?, verified_at = {'now()' if verdict.good else 'null'},"
            " updated_at = now(), recorded_at = now() where workspace_id = ? and id = ?",
            encode(said).decode(),
            tx.workspace_id,
            run["id"],
        )
    )
    if verdict.good:
        return None
    found: dict[str, tuple[Any, Any]] = {"method": (None, verdict.method), "findings": (None, list(verdict.findings))}
    if run["verified_at"]:
        found["verified_at"] = (write_timestamp(run["verified_at"]), None)
    await log.record(tx, [told(run, "verification_failed", **found)])
    return f"the backup is {verdict.result}: {verdict.findings[0] if verdict.findings else 'see its file'}"


async def note_rehearsed(tx: Transaction, backup_id: UUID, rehearsal: Rehearsal) -> None:
    """A completed backup counts as verified, or no longer, by what a later rehearsal of its very bytes has found."""
    run = await tx.row(
        Sql.of(
            "select * from backups where workspace_id = ? and id = ? and status = 'completed' and removed_at is null"
            " for no key update",
            tx.workspace_id,
            backup_id,
        )
    )
    if run and (rehearsal.passed or run["verified_at"] or run["verification"] is None):
        await note_verdict(tx, run, verdict_of(rehearsal))
