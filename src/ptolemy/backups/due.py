"""Policies whose turn has come, and those whose newest good backup is too old."""

from __future__ import annotations

from datetime import datetime

import structlog

from ptolemy.accounts.workspaces import workspace_ids
from ptolemy.backups import health
from ptolemy.backups.cron import NoTurn, next_turn
from ptolemy.backups.runs import queue_run
from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.jobs.job import Job
from ptolemy.kernel.actors import SYSTEM, Caller

KIND = "backups_due"

log = structlog.get_logger("ptolemy.backups")


class DueHandler:
    """A standing job: however many workers there are, one of them looks at a time."""

    def __init__(self, database: Database, surroundings: Surroundings) -> None:
        self._database, self._surroundings = database, surroundings

    async def run(self, job: Job) -> None:
        async with self._database.session() as session:
            workspaces = await workspace_ids(session)
        for workspace in workspaces:
            job.check_in()
            await self._look_at(Caller(workspace, SYSTEM))
        async with self._database.session() as session:
            await job.finish(session)

    async def _look_at(self, caller: Caller) -> None:
        async with self._database.transaction(caller) as tx:
            await begin_due(tx, self._surroundings)
            await health.tell_overdue(tx, self._surroundings.now())

    async def gave_up(self, job: Job, reason: str) -> None:
        """Nothing to mark: it comes round again."""


async def begin_due(tx: Transaction, surroundings: Surroundings) -> int:
    """Queues one run of each policy that is due, however many turns it has missed; answers how many.

    A policy whose last run still goes on is left for later, one without a turn is passed over: it becomes overdue.
    """
    now = surroundings.now()
    due = await tx.rows(
        Sql.of(
            "select p.* from backup_policies p"
            " where p.workspace_id = ? and p.active and p.next_run_at <= ?"
            " and not exists (select from backups b where b.workspace_id = ? and b.policy_id = p.id"
            "  and b.status in ('queued', 'processing'))"
            " order by p.id for no key update",
            tx.workspace_id,
            now,
            tx.workspace_id,
        )
    )
    begun = 0
    for policy in due:
        try:
            turn = next_turn(policy["schedule"], policy["timezone"], now)
        except NoTurn as reason:
            log.error("backup_not_scheduled", policy_id=str(policy["id"]), reason=str(reason))
            continue
        await _begin(tx, policy, turn)
        begun += 1
    return begun


async def _begin(tx: Transaction, policy: Row, next_run_at: datetime) -> None:
    # Whoever asks for a run by hand locks the policy too, so nobody comes between.
    await queue_run(tx, policy, due_at=policy["next_run_at"])
    await tx.run(
        Sql.of(
            "update backup_policies set next_run_at = ?, recorded_at = now() where workspace_id = ? and id = ?",
            next_run_at,
            tx.workspace_id,
            policy["id"],
        )
    )
