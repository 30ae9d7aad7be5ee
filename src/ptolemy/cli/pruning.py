"""Retention as the operator asks for it, over all workspaces or one."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ptolemy.accounts.workspaces import workspace_by_slug, workspace_ids
from ptolemy.backups.resource import Backups
from ptolemy.backups.retention import Plan, planned, prune
from ptolemy.backups.surroundings import Surroundings
from ptolemy.cli.opening import open_database
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row
from ptolemy.engine import lookup
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.problems import NotFound
from ptolemy.settings import Settings

_SPARED = "its policy keeps it no longer, but it is the last good one"


@dataclass(frozen=True)
class Pruned:
    """A backup that goes, or one that is `spared` because it is the last good one."""

    policy: str
    backup: UUID
    location: str
    reason: str
    spared: bool = False
    failed: bool = False

    def document(self) -> dict[str, str | bool]:
        return {
            "policy": self.policy,
            "backup": str(self.backup),
            "location": self.location,
            "reason": self.reason,
            "spared": self.spared,
            "failed": self.failed,
        }


async def prune_backups(settings: Settings, slug: str | None, name: str | None, *, remove: bool) -> list[Pruned]:
    """What goes, policy by policy; with `remove` it is gone."""
    surroundings = Surroundings(settings.allowed_backup_directories, settings.backup_buckets)
    found: list[Pruned] = []
    async with open_database(settings) as database:
        async with database.session() as session:
            workspaces = [(await workspace_by_slug(session, slug))["id"]] if slug else await workspace_ids(session)
        met = False
        for workspace in workspaces:
            caller = Caller(workspace, SYSTEM)
            for policy in await _policies(database, caller, name):
                met = True
                found += await _pruned(database, caller, policy, surroundings, remove=remove)
    if name is not None and not met:
        raise NotFound("not_found", f"there is no backup policy {name!r}")
    return found


async def _policies(database: Database, caller: Caller, name: str | None) -> list[Row]:
    async with database.transaction(caller) as tx:
        statement = Sql.of(
            "select * from backup_policies where workspace_id = ? and (?::text is null or name = ?) order by id",
            tx.workspace_id,
            name,
            name,
        )
        return await tx.rows(statement)


async def _pruned(
    database: Database, caller: Caller, policy: Row, surroundings: Surroundings, *, remove: bool
) -> list[Pruned]:
    if remove:
        plan = await prune(database, caller, policy["id"], surroundings) or Plan([], [], None)
    else:
        async with database.transaction(caller) as tx:
            plan = await planned(tx, policy, surroundings.now())
    found = []
    for each in plan.going:
        failed = remove and await _is_there_still(database, caller, each.run["id"])
        found.append(Pruned(policy["name"], each.run["id"], each.run["location"], each.reason, failed=failed))
    if plan.spared:
        found.append(Pruned(policy["name"], plan.spared["id"], plan.spared["location"], _SPARED, spared=True))
    return found


async def _is_there_still(database: Database, caller: Caller, run_id: UUID) -> bool:
    async with database.transaction(caller) as tx:
        run = await lookup.one(tx, Backups, str(run_id))
    return run["removed_at"] is None
