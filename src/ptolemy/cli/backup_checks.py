"""Are there good backups that are young enough, and may the next ones go where they are meant to?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ptolemy.backups.destinations import refusal
from ptolemy.backups.health import PolicyHealth, health_everywhere
from ptolemy.backups.surroundings import Surroundings
from ptolemy.cli.findings import Finding, error, fine, warning
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.settings import Settings

_ADVICE = "look at the errors of its runs (`GET /backups`), and whether a worker runs"


async def backup_findings(settings: Settings, dsn: str) -> list[Finding]:
    """One for each policy that is late or will fail; one in all where none is."""
    database = await Database.open(dsn, app_connections=1, owner_connections=1)
    try:
        async with database.session() as session:
            slugs = {row["id"]: row["slug"] for row in await session.rows(Sql("select id, slug from workspaces"))}
        policies = await health_everywhere(database, datetime.now(UTC))
    finally:
        await database.close()
    missing = [_missing(str(each)) for each in _chosen_directories(settings) if not each.is_dir()]
    late = [_late(slugs.get(each.workspace_id, "?"), each) for each in policies if each.level != "ok"]
    surroundings = Surroundings(settings.allowed_backup_directories, settings.backup_buckets)
    refused = [
        _refused(slugs.get(each.workspace_id, "?"), each, reason)
        for each in policies
        if (reason := await refusal(each.destination, surroundings))
    ]
    return [*missing, *refused, *late] or [_all_well(policies)]


def _refused(slug: str, policy: PolicyHealth, reason: str) -> Finding:
    found = f"the next backup of {policy.policy_name!r} in {slug} will fail: {policy.destination} {reason}"
    return warning(
        "backups", found, "allow it, with the same settings on every host, or let an admin change the policy"
    )


def _late(slug: str, policy: PolicyHealth) -> Finding:
    newest = f"is {said(policy.age)} old" if policy.newest_good_at else f"doesn't exist, after {said(policy.age)}"
    turns = f"there is a turn every {said(policy.period)}" if policy.period else "its schedule has no turn any more"
    found = f"the newest good backup of {policy.policy_name!r} in {slug} {newest}; {turns}"
    return (error if policy.level == "too_old" else warning)("backups", found, _ADVICE)


def _all_well(policies: list[PolicyHealth]) -> Finding:
    if not policies:
        return fine("backups", "no workspace has a backup policy")
    oldest = max(policy.age for policy in policies)
    return fine("backups", f"{len(policies)} policies, none without a good backup for longer than {said(oldest)}")


def _missing(directory: str) -> Finding:
    advice = "make it, or mount what should be there, or correct PTOLEMY_BACKUP_DIRECTORIES"
    return error("backups", f"there is no directory {directory}", advice)


def _chosen_directories(settings: Settings) -> list[Path]:
    """Those that the operator named; the default one is made when it is needed."""
    return list(settings.allowed_backup_directories) if settings.backup_directories else []


def said(duration: timedelta) -> str:
    """As people say it: `3 days`, `5 hours`."""
    for name, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1))):
        if duration >= 2 * length:
            return f"{round(duration / length)} {name}s"
    return f"{round(duration / timedelta(minutes=1))} minutes"
