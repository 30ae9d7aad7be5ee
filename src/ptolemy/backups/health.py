"""How good the backups are: by the age of the newest one that was found good, not by the last exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from ptolemy.accounts.workspaces import workspace_ids
from ptolemy.backups.cron import NoTurn, period
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.events import log
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.timestamps import write_timestamp

LATE, TOO_OLD = 1.25, 2.0
"""Periods of the schedule after which the newest good backup is late, and too old."""


@dataclass(frozen=True)
class PolicyHealth:
    """`age` is that of what the newest good backup holds; where there is none, since when there could be one.

    A schedule that has no turn any more has no `period`.
    """

    workspace_id: UUID
    policy_id: UUID
    policy_name: str
    destination: str
    period: timedelta | None
    age: timedelta
    newest_good_at: datetime | None

    @property
    def level(self) -> Literal["ok", "late", "too_old"]:
        if self.period is None:
            return "too_old"
        periods = self.age / self.period
        return "too_old" if periods > TOO_OLD else "late" if periods > LATE else "ok"


async def health(tx: Transaction, now: datetime) -> list[PolicyHealth]:
    """Of each active policy of the workspace."""
    return [_health(row, now) for row in await _policies(tx)]


async def health_everywhere(database: Database, now: datetime) -> list[PolicyHealth]:
    """Of all workspaces, for the operator: for `doctor`, and for metrics."""
    async with database.session() as session:
        workspaces = await workspace_ids(session)
    found = []
    for workspace in workspaces:
        async with database.transaction(Caller(workspace, SYSTEM)) as tx:
            found += await health(tx, now)
    return found


async def tell_overdue(tx: Transaction, now: datetime) -> None:
    """An event, once, for each policy whose newest good backup has become too old; and none while it stays so."""
    for row in await _policies(tx):
        found = _health(row, now)
        overdue = found.level == "too_old"
        if overdue == (row["overdue_since"] is not None):
            continue
        marked = await _mark(tx, row, now if overdue else None)
        if marked and overdue:
            await log.record(tx, [_overdue(row, found, now)])


async def _mark(tx: Transaction, policy: Row, since: datetime | None) -> bool:
    marked = await tx.run(
        Sql.of(
            "update backup_policies set overdue_since = ?, recorded_at = now()"
            " where workspace_id = ? and id = ? and scheduled_since = ? and overdue_since is not distinct from ?",
            since,
            tx.workspace_id,
            policy["id"],
            policy["scheduled_since"],
            policy["overdue_since"],
        )
    )
    return marked > 0


def _overdue(policy: Row, found: PolicyHealth, now: datetime) -> log.Entry:
    newest = write_timestamp(found.newest_good_at) if found.newest_good_at else None
    return log.Entry(
        "backup.overdue",
        "backup_policy",
        policy["id"],
        policy["name"],
        {
            "overdue_since": {"from": None, "to": write_timestamp(now)},
            "newest_good_at": {"from": newest, "to": newest},
        },
    )


async def _policies(tx: Transaction) -> Sequence[Row]:
    """The active ones, with the instant of the newest good backup: verified, where the policy asks for it.

    One that was looked at and isn't verified was found bad, whatever the policy asks for.
    """
    return await tx.rows(
        Sql.of(
            "select p.*,"
            " (select max(b.taken_at) from backups b"
            "  where b.workspace_id = ? and b.policy_id = p.id and b.status = 'completed'"
            "  and b.removed_at is null"
            "  and (b.verified_at is not null or p.verify = 'never' and b.verification is null)) as newest_good_at"
            " from backup_policies p where p.workspace_id = ? and p.active order by p.id",
            tx.workspace_id,
            tx.workspace_id,
        )
    )


def _health(policy: Row, now: datetime) -> PolicyHealth:
    newest = policy["newest_good_at"]
    since = max(newest, policy["scheduled_since"]) if newest else policy["scheduled_since"]
    return PolicyHealth(
        policy["workspace_id"],
        policy["id"],
        policy["name"],
        policy["destination"],
        _period(policy, now),
        max(now - since, timedelta(0)),
        newest,
    )


def _period(policy: Row, now: datetime) -> timedelta | None:
    try:
        return period(policy["schedule"], policy["timezone"], now)
    except NoTurn:
        return None
