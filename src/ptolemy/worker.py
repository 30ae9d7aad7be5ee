"""The worker: every kind of job there is, run until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
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
from ptolemy.api.kept_answers import forget_old
from ptolemy.backups import due, own_files
from ptolemy.backups import rehearsal_requests as rehearsals
from ptolemy.backups.due import DueHandler
from ptolemy.backups.rehearsal_job import RehearsalHandler
from ptolemy.backups.restore_requests import KIND as RESTORE
from ptolemy.backups.restoring import RestoreHandler
from ptolemy.backups.run import BackupHandler
from ptolemy.backups.runs import KIND as BACKUP
from ptolemy.backups.surroundings import Surroundings
from ptolemy.catalogue import RESOURCES
from ptolemy.database.pool import Database
from ptolemy.database.transaction import Transaction
from ptolemy.engine import custom_field_indexes
from ptolemy.engine.custom_field_indexes import MANY_RECORDS, CustomFieldIndexHandler
from ptolemy.exports import retention as exports
from ptolemy.exports.requests import KIND as EXPORT
from ptolemy.exports.run import ExportHandler
from ptolemy.files import uploads
from ptolemy.files.scratch import sweep_scratch
from ptolemy.files.store import FileStore, StorageUnavailable
from ptolemy.files.sweep import sweep
from ptolemy.imports import source as imports
from ptolemy.imports.requests import KIND as IMPORT
from ptolemy.imports.run import ImportHandler
from ptolemy.jobs.job import Handler, Interrupted, Job
from ptolemy.jobs.runner import Runner
from ptolemy.jobs.schedule import Schedule
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.problems import NotFound
from ptolemy.plans import item_quota, items
from ptolemy.plans.bursts import forget_bursts
from ptolemy.webhooks import deliveries
from ptolemy.webhooks.bell import ringing
from ptolemy.webhooks.courier import Courier
from ptolemy.webhooks.endpoint_queue import Delivering

UPKEEP = "upkeep"
UPKEEP_SECONDS = 3600

log = structlog.get_logger("ptolemy.worker")


async def run_worker(
    database: Database,
    files: FileStore,
    stop: asyncio.Event,
    *,
    concurrency: int,
    unpacked_limit_bytes: int,
    delivering: Delivering,
    indexed_from_records: int = MANY_RECORDS,
    backups: Surroundings | None = None,
    letters: Letters | None = None,
) -> None:
    """Works until `stop` is set; then batches end, and what is unfinished is given back for another worker."""
    await sweep_scratch()
    backups = backups or Surroundings()
    runner = Runner(
        database,
        handlers(database, files, unpacked_limit_bytes, indexed_from_records, backups, letters),
        concurrency=concurrency,
        schedules=[Schedule("upkeep", UPKEEP_SECONDS, UPKEEP), Schedule("backups", backups.look_seconds, due.KIND)],
    )
    courier = Courier(delivering)
    async with ringing(database):
        working = [asyncio.create_task(runner.run()), asyncio.create_task(courier.run())]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((*working, stopped), return_when=asyncio.FIRST_COMPLETED)
            runner.stop()
            courier.stop()
            await asyncio.gather(*working)
        finally:
            stopped.cancel()
            for task in working:
                task.cancel()
            await asyncio.wait(working)


def handlers(
    database: Database,
    files: FileStore,
    unpacked_limit_bytes: int,
    indexed_from_records: int = MANY_RECORDS,
    backups: Surroundings | None = None,
    letters: Letters | None = None,
) -> Mapping[str, Handler]:
    """Who does which kind of job; without `letters` e-mails wait for a worker that can send them."""
    backups = backups or Surroundings()
    by_mail: dict[str, Handler] = {MAIL_JOB: InvitationMailHandler(database, letters)} if letters else {}
    return {
        BACKUP: BackupHandler(database, files, backups, unpacked_limit_bytes=unpacked_limit_bytes),
        due.KIND: DueHandler(database, backups),
        EXPORT: ExportHandler(database, files),
        IMPORT: ImportHandler(database, files, unpacked_limit_bytes=unpacked_limit_bytes),
        custom_field_indexes.KIND: CustomFieldIndexHandler(database, RESOURCES, many_records=indexed_from_records),
        rehearsals.KIND: RehearsalHandler(database, files, unpacked_limit_bytes=unpacked_limit_bytes),
        RESTORE: RestoreHandler(database, files, unpacked_limit_bytes=unpacked_limit_bytes),
        removal.KIND: RemovalHandler(database, files),
        UPKEEP: UpkeepHandler(database, files),
        **by_mail,
    }


class UpkeepHandler:
    """What every workspace needs from time to time, in short transactions."""

    def __init__(self, database: Database, files: FileStore) -> None:
        self._database, self._files = database, files

    async def run(self, job: Job) -> None:
        async with self._database.session() as session:
            await forget_ended_sessions(session)
            workspaces = await workspace_ids(session)
        # The answers of requests that name no workspace lie nowhere.
        await self._forget_answers(NOWHERE)
        for workspace in workspaces:
            _check_in(job)
            try:
                await self._look_after(workspace)
            except NotFound:
                continue  # removed a moment ago
            except StorageUnavailable:
                log.warning("files_left_to_the_next_upkeep", workspace_id=str(workspace))
        try:
            await remove_late_arrivals(self._database, self._files, lambda: _check_in(job))
        except StorageUnavailable:
            log.warning("removed_workspaces_left_to_the_next_upkeep")
        await self._files.tidy()
        await sweep_scratch()
        async with self._database.session() as session:
            await forget_bursts(session)
            await job.finish(session)

    async def _look_after(self, workspace: UUID) -> None:
        caller = Caller(workspace, SYSTEM)
        async with self._database.transaction(caller) as tx:
            await items.fold(tx)
            await custom_field_indexes.reconsider(tx)
            await tell_of_overage(tx)
        await item_quota.count_up(self._database, workspace, patience_seconds=0)
        await self._forget_answers(workspace)
        await self._forget_deliveries(caller)
        await tidy_files(self._database, self._files, caller)

    async def _forget_answers(self, workspace: UUID) -> None:
        """A few at a time, so that nobody's request waits for long."""
        more = True
        while more:
            async with self._database.transaction(Caller(workspace, SYSTEM)) as tx:
                more = await forget_old(tx)

    async def _forget_deliveries(self, caller: Caller) -> None:
        more = True
        while more:
            async with self._database.transaction(caller) as tx:
                more = await deliveries.forget_old(tx)

    async def gave_up(self, job: Job, reason: str) -> None:
        """Nothing to mark: it comes round again."""


def _check_in(job: Job) -> None:
    if job.stopping.is_set():
        raise Interrupted


async def tidy_files(database: Database, files: FileStore, caller: Caller) -> None:
    """Removes a workspace's files whose time is over, and those that a killed process has left."""
    async with database.transaction(caller) as tx:
        await exports.remove_expired_files(tx, files)
    async with database.transaction(caller) as tx:
        await own_files.remove_expired_files(tx, files)
    async with database.transaction(caller) as tx:
        over = set(await uploads.users(tx)) - await rehearsals.under_way(tx)
        gone = [key for job_id in over for key in await imports.freed(tx, job_id)]
        gone += await uploads.remove_expired(tx)
    for key in gone:
        await files.delete(key)
    for room in (exports, imports, uploads, own_files):

        async def wanted(keys: Collection[str], room: _Keeper = room) -> set[str]:
            async with database.transaction(caller) as tx:
                return await room.wanted(tx, keys)

        await sweep(files, room.folder(caller.workspace_id), wanted)


class _Keeper(Protocol):
    """A room that keeps files: where, and which of them it still needs."""

    def folder(self, workspace_id: UUID) -> str: ...

    async def wanted(self, tx: Transaction, keys: Collection[str]) -> set[str]: ...
