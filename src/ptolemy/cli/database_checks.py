"""Is the database what the product needs, and is what lies in it whole?"""

from __future__ import annotations

import time

from ptolemy.cli.findings import Finding, error, fine, warning
from ptolemy.database.migrations import pending
from ptolemy.database.security import APP, OWNER, WITHOUT_WORKSPACE, role_for
from ptolemy.database.transaction import Driver

OLDEST_MAJOR = 17
CLOCK_WARNING_SECONDS = 1.0
CLOCK_ERROR_SECONDS = 30.0
WEBHOOKS_LATE_SECONDS = 60
PARENTS = {"instrument_id": "instruments", "type_id": "series"}
VALUE_TABLES = ("time_series_values", "composite_time_series_values")


async def database_findings(driver: Driver) -> list[Finding]:
    """As the login sees it; the clock first, before anything slow."""
    findings = [await _clock(driver), _version(driver), await _extension(driver)]
    missing = await pending(driver)
    if missing:
        found = f"{len(missing)} are missing, the first is {missing[0]}"
        return [*findings, error("migrations", found, "run `ptolemy migrate`, or start `ptolemy serve`")]
    return [
        *findings,
        fine("migrations", "all are applied"),
        await _roles(driver),
        await _webhooks(driver),
        await _orphans(driver),
    ]


def server_version(driver: Driver) -> str:
    """PostgreSQL's version as it names itself, like 18.6."""
    version = driver.get_server_version()
    # The driver keeps the old scheme's three parts: since PostgreSQL 10 its `minor` is always 0.
    return f"{version.major}.{version.micro}"


def _version(driver: Driver) -> Finding:
    found = f"PostgreSQL {server_version(driver)}"
    if driver.get_server_version().major < OLDEST_MAJOR:
        return error("version", found, f"upgrade to PostgreSQL {OLDEST_MAJOR} or newer")
    return fine("version", found)


async def _extension(driver: Driver) -> Finding:
    if await driver.fetchval("select exists (select from pg_extension where extname = 'btree_gist')"):
        return fine("extension", "btree_gist is installed")
    advice = "run `ptolemy migrate`, or have an administrator run `create extension btree_gist`"
    return error("extension", "btree_gist is missing", advice)


async def _clock(driver: Driver) -> Finding:
    before = time.time()
    theirs = await driver.fetchval("select extract(epoch from clock_timestamp())::float8")
    ours = (before + time.time()) / 2
    found = f"{abs(theirs - ours):.3f} s between this host and the database"
    advice = "synchronise both clocks (NTP): leases and signed links go by them"
    if abs(theirs - ours) > CLOCK_ERROR_SECONDS:
        return error("clock", found, advice)
    if abs(theirs - ours) > CLOCK_WARNING_SECONDS:
        return warning("clock", found, advice)
    return fine("clock", found)


async def _roles(driver: Driver) -> Finding:
    advice = (
        f"as an administrator: create role {OWNER} nologin; create role {APP} nologin; grant both to the login of"
        " PTOLEMY_DATABASE_URL, then migrate a fresh database"
    )
    for role in (OWNER, APP):
        if await role_for(driver, role) is None:
            found = f"the login can't act as {role}: row-level security between workspaces is off"
            return warning("roles", found, advice)
    unprotected = await driver.fetch(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id'"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity"
        " and c.relname <> all($1::text[]) order by 1",
        sorted(WITHOUT_WORKSPACE),
    )
    if unprotected:
        names = ", ".join(row["relname"] for row in unprotected)
        return warning("roles", f"row-level security is off for {names}", advice)
    return fine("roles", "row-level security keeps workspaces apart")


async def _webhooks(driver: Driver) -> Finding:
    """Workers look at every workspace with webhooks each few seconds: one that nobody looks at is left alone."""
    row = await driver.fetchrow(
        "select count(*) as workspaces, max(extract(epoch from now() - due_at))::bigint as seconds from webhook_feeds"
        " where wanted and due_at < now() - $1 * interval '1 second' and (lease_until is null or lease_until < now())",
        WEBHOOKS_LATE_SECONDS,
    )
    if not row["workspaces"]:
        return fine("webhooks", "no deliveries are left waiting for a worker")
    found = f"those of {row['workspaces']} workspaces wait for a worker, the longest for {row['seconds']} s"
    return warning("webhooks", found, "start `ptolemy serve` with PTOLEMY_JOBS_AT_ONCE above 0, or `ptolemy worker`")


async def _orphans(driver: Driver) -> Finding:
    """Values have no foreign keys, for speed: the write path keeps them whole, and this reads them all to prove it."""
    counts: dict[str, int] = {}
    for table in VALUE_TABLES:
        for column, parents in PARENTS.items():
            count = await driver.fetchval(
                f"select count(*) from {table} v where not exists"
                f" (select from {parents} p where p.workspace_id = v.workspace_id and p.id = v.{column})"
            )
            if count:
                counts[f"{table}.{column}"] = count
    if not counts:
        return fine("orphans", "every value has its instrument and its series")
    found = ", ".join(f"{count} in {where}" for where, count in counts.items())
    return error("orphans", f"values without their parent: {found}", "restore the parents from a backup, and tell us")
