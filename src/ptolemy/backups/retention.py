"""Which backups of a policy go, by our own records of its runs, and never the last good one.

Names and dates of files at the destination say nothing: what no run of the policy speaks of is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ptolemy.backups.destinations import open_allowed
from ptolemy.backups.policies import BackupPolicies
from ptolemy.backups.runs import told
from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup
from ptolemy.events import log
from ptolemy.files.store import log as diary
from ptolemy.kernel.actors import Caller
from ptolemy.kernel.problems import NotFound, Problem


@dataclass(frozen=True)
class Going:
    run: Row
    reason: str


@dataclass(frozen=True)
class Plan:
    """What retention takes, what it keeps, and the last good backup that it would have had to take."""

    going: Sequence[Going]
    kept: Sequence[Row]
    spared: Row | None


def plan(runs: Sequence[Row], keep_last: int | None, keep_days: int | None, now: datetime) -> Plan:
    """What becomes of the files of a policy's runs, given the newest first.

    A completed backup stays as long as `keep_last` or `keep_days` keeps it; without either, for ever. A file of a run
    that failed goes as soon as a newer good one is there. The newest verified backup always stays; where none is
    verified, the newest completed one that wasn't found bad.
    """
    completed = [run for run in runs if run["status"] == "completed"]
    verified = [run for run in completed if run["verified_at"] is not None]
    unseen = [run for run in completed if run["verification"] is None]
    last_good = next(iter(verified or unseen or completed), None)
    going, kept, spared = [], [], None
    for run in runs:
        reason = _reason(run, completed, last_good, keep_last, keep_days, now)
        if reason is None:
            kept.append(run)
        elif run is last_good:
            kept.append(run)
            spared = run
        else:
            going.append(Going(run, reason))
    return Plan(going, kept, spared)


def _reason(
    run: Row,
    completed: Sequence[Row],
    last_good: Row | None,
    keep_last: int | None,
    keep_days: int | None,
    now: datetime,
) -> str | None:
    """Why it goes, or None."""
    if keep_last is None and keep_days is None:
        return None
    if run["status"] != "completed":
        superseded = last_good is not None and _order(last_good) > _order(run)
        return f"the run {run['status']}, and a newer backup is good" if superseded else None
    reasons = []
    if keep_last is not None:
        if run in completed[:keep_last]:
            return None
        reasons.append(f"keep_last is {keep_last}")
    if keep_days is not None:
        if run["taken_at"] >= now - timedelta(days=keep_days):
            return None
        reasons.append(f"keep_days is {keep_days}")
    return " and ".join(reasons)


def _order(run: Row) -> tuple[datetime, UUID]:
    return run["taken_at"], run["id"]


async def planned(tx: Transaction, policy: Row, now: datetime) -> Plan:
    """What would go now."""
    runs = await tx.rows(
        Sql.of(
            "select * from backups"
            " where workspace_id = ? and policy_id = ? and status in ('completed', 'failed', 'cancelled')"
            " and location is not null and removed_at is null"
            " order by taken_at desc, id desc",
            tx.workspace_id,
            policy["id"],
        )
    )
    return plan(runs, policy["keep_last"], policy["keep_days"], now)


async def prune(database: Database, caller: Caller, policy_id: UUID, surroundings: Surroundings) -> Plan | None:
    """Removes what the policy keeps no longer, and answers what it was; None where the policy is gone.

    What can't be removed now is tried again after the policy's next run.
    """
    async with database.transaction(caller) as tx:
        try:
            policy = await lookup.one(tx, BackupPolicies, str(policy_id))
        except NotFound:
            return None
        found = await planned(tx, policy, surroundings.now())
        if found.spared is not None:
            await _tell_spared(tx, found.spared)
    for going in found.going:
        await _remove(database, caller, going, surroundings)
    return found


async def _remove(database: Database, caller: Caller, going: Going, surroundings: Surroundings) -> None:
    """The file first: a record that is marked before would hide one that stays for ever."""
    run = going.run
    try:
        destination = await open_allowed(run["destination"], surroundings)
        await destination.delete(run["file_key"])
    except (Problem, OSError) as error:
        diary.warning("backup_not_removed", location=run["location"], reason=str(error))
        return
    async with database.transaction(caller) as tx:
        marked = await tx.run(
            Sql.of(
                "update backups set removed_at = now(), removed_reason = ?, updated_at = now(), recorded_at = now()"
                " where workspace_id = ? and id = ? and removed_at is null",
                going.reason,
                tx.workspace_id,
                run["id"],
            )
        )
        if marked:
            await log.record(tx, [told(run, "pruned", location=(run["location"], None), reason=(None, going.reason))])


async def _tell_spared(tx: Transaction, run: Row) -> None:
    """Once for each backup: it says that retention would leave nothing that is known to be good."""
    marked = await tx.run(
        Sql.of(
            "update backups set spared_at = now(), recorded_at = now()"
            " where workspace_id = ? and id = ? and spared_at is null",
            tx.workspace_id,
            run["id"],
        )
    )
    if marked:
        await log.record(tx, [told(run, "prune_refused", location=(run["location"], run["location"]))])
