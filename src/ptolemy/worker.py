"""The worker: every kind of job there is, run until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from ptolemy.accounts import removal
from ptolemy.accounts.access import NOWHERE
from ptolemy.accounts.invitation_mail import InvitationMailHandler, Letters
from ptolemy.accounts.invitations import MAIL_JOB
from ptolemy.accounts.removal import RemovalHandler, remove_late_arrivals
from ptolemy.accounts.sessions import forget_ended_sessions
from ptolemy.accounts.workspaces import tell_of_overage, workspace_ids
from ptolemy.api import kept_answers
from ptolemy.backups import due
from ptolemy.backups.due import DueHandler
from ptolemy.backups.rehearsals import requests as rehearsals
from ptolemy.backups.rehearsals.run import RehearsalHandler
from ptolemy.backups.restores.requests import KIND as RESTORE
from ptolemy.backups.restores.run import RestoreHandler
from ptolemy.backups.run import BackupHandler
from ptolemy.backups.runs import KIND as BACKUP
from ptolemy.backups.runs import OWN_FILES as BACKUP_FILES
from ptolemy.backups.surroundings import Surroundings
from ptolemy.catalogue import RESOURCES
from ptolemy.database.pool import Database
from ptolemy.database.retention import Kept, forget
from ptolemy.database.transaction import Transaction
from ptolemy.engine import custom_field_indexes
from ptolemy.engine.custom_field_indexes import MANY_RECORDS, CustomFieldIndexHandler
from ptolemy.events import retention as events
from ptolemy.exports.download import FILES as EXPORT_FILES
from ptolemy.exports.requests import KIND as EXPORT
from ptolemy.exports.run import ExportHandler
from ptolemy.files import uploads
from ptolemy.files.scratch import sweep_scratch
from ptolemy.files.store import FileStore, StorageUnavailable
from ptolemy.files.sweep import sweep
from ptolemy.formats.memory import give_back
from ptolemy.imports import source as imports
from ptolemy.imports.requests import KIND as IMPORT
from ptolemy.imports.run import ImportHandler
from ptolemy.jobs.job import Handler, Job
from ptolemy.jobs.records import ended_jobs
from ptolemy.jobs.runner import JobPace, Runner
from ptolemy.jobs.schedule import Schedule
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.problems import NotFound
from ptolemy.plans import item_quota, items
from ptolemy.plans.bursts import forget_bursts
from ptolemy.plans.events_kept import events_days
from ptolemy.webhooks import deliveries
from ptolemy.webhooks.bell import ringing
from ptolemy.webhooks.courier import Courier
from ptolemy.webhooks.endpoint_queue import Delivering

UPKEEP = "upkeep"
UPKEEP_SECONDS = 3600

ALWAYS_FORGOTTEN: Sequence[tuple[Kept, timedelta]] = (
    (kept_answers.KEPT, timedelta(hours=24)),
    (deliveries.KEPT, deliveries.KEPT_FOR),
)
"""What is kept for a fixed time in every workspace: a room joins with one line."""

FORGOTTEN_WITH_EVENTS: Sequence[Kept] = (
    events.KEPT,
    ended_jobs("exports", condition="(sha256 is null or file_removed_at is not null)"),
    ended_jobs("imports", parts=("import_errors", "import_id")),
    ended_jobs("rehearsals"),
    ended_jobs("backup_restores"),
)
"""What is kept for as long as the workspace's plan keeps events. Backups have a retention of their own."""

log = structlog.get_logger("ptolemy.worker")


@dataclass(frozen=True)
class Working:
    """How a worker works: on how many jobs at once, and with what."""

    concurrency: int
    unpacked_limit_bytes: int
    indexed_from_records: int = MANY_RECORDS
    backups: Surroundings = field(default_factory=Surroundings)
    letters: Letters | None = None
    """Without them e-mails wait for a worker that can send them."""
    events_days: int | None = None
    """How long events are kept at most, whatever the plan says."""
    pace: JobPace = field(default_factory=JobPace)


async def run_worker(
    database: Database, files: FileStore, stop: asyncio.Event, working: Working, delivering: Delivering
) -> None:
    """Works until `stop` is set; then batches end, and what is unfinished is given back for another worker."""
    await sweep_scratch()
    look_seconds = working.backups.look_seconds
    runner = Runner(
        database,
        handlers(database, files, working),
        concurrency=working.concurrency,
        schedules=[Schedule("upkeep", UPKEEP_SECONDS, UPKEEP), Schedule("backups", look_seconds, due.KIND)],
        at_rest=give_back,
        pace=working.pace,
    )
    working_off: list[Runner | Courier] = [runner, Courier(delivering)]
    if working.letters:
        # A mail server that doesn't answer holds up e-mails, and no export.
        by_mail = {MAIL_JOB: InvitationMailHandler(database, working.letters)}
        working_off.append(Runner(database, by_mail, concurrency=1, pace=working.pace))
    async with ringing(database):
        tasks = [asyncio.create_task(each.run()) for each in working_off]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((*tasks, stopped), return_when=asyncio.FIRST_COMPLETED)
            for each in working_off:
                each.stop()
            await asyncio.gather(*tasks)
        finally:
            stopped.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def handlers(database: Database, files: FileStore, working: Working) -> Mapping[str, Handler]:
    """Who does which kind of job, but for e-mails."""
    limit = working.unpacked_limit_bytes
    return {
        BACKUP: BackupHandler(database, files, working.backups, unpacked_limit_bytes=limit),
        due.KIND: DueHandler(database, working.backups),
        EXPORT: ExportHandler(database, files),
        IMPORT: ImportHandler(database, files, unpacked_limit_bytes=limit),
        custom_field_indexes.KIND: CustomFieldIndexHandler(
            database, RESOURCES, many_records=working.indexed_from_records
        ),
        rehearsals.KIND: RehearsalHandler(database, files, unpacked_limit_bytes=limit),
        RESTORE: RestoreHandler(database, files, unpacked_limit_bytes=limit),
        removal.KIND: RemovalHandler(database, files),
        UPKEEP: UpkeepHandler(database, files, working.events_days),
    }


class UpkeepHandler:
    """What every workspace needs from time to time, in short transactions."""

    def __init__(self, database: Database, files: FileStore, events_days: int | None) -> None:
        self._database, self._files, self._events_days = database, files, events_days

    async def run(self, job: Job) -> None:
        async with self._database.session() as session:
            await forget_ended_sessions(session)
            workspaces = await workspace_ids(session)
        # The answers of requests that name no workspace lie nowhere.
        await self._forget(Caller(NOWHERE, SYSTEM), ALWAYS_FORGOTTEN, job)
        for workspace in workspaces:
            job.check_in()
            try:
                await self._look_after(workspace, job)
            except NotFound:
                continue  # removed a moment ago
            except StorageUnavailable:
                log.warning("files_left_to_the_next_upkeep", workspace_id=str(workspace))
        try:
            await remove_late_arrivals(self._database, self._files, job.check_in)
        except StorageUnavailable:
            log.warning("removed_workspaces_left_to_the_next_upkeep")
        await self._files.tidy()
        await sweep_scratch()
        async with self._database.session() as session:
            await forget_bursts(session)
            await job.finish(session)

    async def _look_after(self, workspace: UUID, job: Job) -> None:
        caller = Caller(workspace, SYSTEM)
        async with self._database.transaction(caller) as tx:
            await items.fold(tx)
            await custom_field_indexes.reconsider(tx)
            await tell_of_overage(tx)
            days = await events_days(tx, self._events_days)
        await item_quota.count_up(self._database, workspace, patience_seconds=0)
        await self._forget(caller, ALWAYS_FORGOTTEN, job)
        await tidy_files(self._database, self._files, caller, job.check_in)
        if days is not None:
            # After the files: the record of a job stays while its file is there.
            await self._forget(caller, [(kept, timedelta(days=days)) for kept in FORGOTTEN_WITH_EVENTS], job)

    async def _forget(self, caller: Caller, kept_for: Sequence[tuple[Kept, timedelta]], job: Job) -> None:
        for kept, period in kept_for:
            await forget(self._database, caller, kept, datetime.now(UTC) - period, job.check_in)

    async def gave_up(self, job: Job, reason: str) -> None:
        """Nothing to mark: it comes round again."""


async def tidy_files(database: Database, files: FileStore, caller: Caller, check_in: Callable[[], None]) -> None:
    """Removes a workspace's files whose time is over, and those that a killed process has left, a few at a time."""
    for made in (EXPORT_FILES, BACKUP_FILES):
        await made.remove_expired(database, caller, files, check_in)
    async with database.transaction(caller) as tx:
        over = set(await uploads.users(tx)) - await rehearsals.under_way(tx)
        gone = [key for job_id in over for key in await imports.freed(tx, job_id)]
    await _delete(files, gone)
    expired: list[str] | None = []
    while expired is not None:
        check_in()
        async with database.transaction(caller) as tx:
            expired = await uploads.remove_expired(tx)
        await _delete(files, expired or ())
    for room in (EXPORT_FILES, imports, uploads, BACKUP_FILES):

        async def wanted(keys: Collection[str], room: _Keeper = room) -> set[str]:
            async with database.transaction(caller) as tx:
                return await room.wanted(tx, keys)

        await sweep(files, room.folder(caller.workspace_id), wanted)


async def _delete(files: FileStore, keys: Iterable[str]) -> None:
    for key in keys:
        await files.delete(key)


class _Keeper(Protocol):
    """A room that keeps files: where, and which of them it still needs."""

    def folder(self, workspace_id: UUID) -> str: ...

    async def wanted(self, tx: Transaction, keys: Collection[str]) -> set[str]: ...
