"""What `ptolemy doctor` looks at, and what it finds; it writes nothing into the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from ptolemy.cli.backup_checks import backup_findings
from ptolemy.cli.database_checks import database_findings, server_version
from ptolemy.cli.findings import Finding, error, fine, warning
from ptolemy.cli.opening import existing_database_dsn
from ptolemy.cli.storage_checks import sharing_findings, storage_findings
from ptolemy.database.embedded import EmbeddedProblem
from ptolemy.database.outage import OUTAGE
from ptolemy.settings import Settings, unknown_variables

CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Examination:
    """`dsn` is the owner's connection: it sees the rows of all workspaces; it works while the server runs."""

    findings: Sequence[Finding]
    dsn: str | None = None
    version: str | None = None

    @property
    def ok(self) -> bool:
        return all(each.level != "error" for each in self.findings)


async def examine(settings: Settings) -> Examination:
    """Everything that can be looked at; what can't be reached is a finding, not a failure."""
    findings = [*setting_findings(settings), *await storage_findings(settings)]
    try:
        async with existing_database_dsn(settings) as dsn:
            driver = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
            try:
                found = [*await database_findings(driver), *await sharing_findings(settings, driver)]
                if not any(each.name == "migrations" and each.level == "error" for each in found):
                    found += await backup_findings(settings, dsn)
                findings += found
                return Examination(findings, dsn, server_version(driver))
            finally:
                await driver.close()
    except EmbeddedProblem as problem:
        return Examination([*findings, error("database", str(problem), "")])
    except (*OUTAGE, asyncpg.PostgresError) as problem:
        advice = "start PostgreSQL, or correct PTOLEMY_DATABASE_URL"
        return Examination([*findings, error("database", f"can't be reached: {problem}", advice)])


def setting_findings(settings: Settings) -> list[Finding]:
    findings = [
        warning("settings", f"{name} is in the environment, but is no setting", "correct its name, or remove it")
        for name in unknown_variables()
    ]
    if settings.database_url and not settings.secret_key:
        findings.append(
            warning(
                "settings",
                "the secret key is kept in this host's data directory",
                "set PTOLEMY_SECRET_KEY to the same value on every host that uses this database",
            )
        )
    return findings or [fine("settings", "all are valid")]
