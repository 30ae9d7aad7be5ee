"""Is the file of a run good? Looked at as its policy wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptolemy.backups.archive.verify import verify
from ptolemy.backups.rehearsal import Rehearsal, rehearse
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import Caller

_MOST_TOLD = 100


@dataclass(frozen=True)
class Verdict:
    """`result` is `fine` or says what is wrong."""

    method: str
    result: str
    findings: Sequence[str] = ()

    @property
    def good(self) -> bool:
        return self.result == "fine"


async def examine(
    database: Database,
    caller: Caller,
    path: Path,
    method: str,
    *,
    check_in: Callable[[], None],
    unpacked_limit_bytes: int,
) -> Verdict | None:
    """What was found by `method`; None where the policy asks for nothing."""
    if method == "never":
        return None
    report = await asyncio.to_thread(verify, path)
    findings = [f"{finding.file}: {finding.message}" for finding in report.findings]
    if method == "hashes" or findings:
        return Verdict(method, report.result, findings[:_MOST_TOLD])
    rehearsal = await rehearse(database, caller, path, check_in=check_in, unpacked_limit_bytes=unpacked_limit_bytes)
    return verdict_of(rehearsal)


def verdict_of(rehearsal: Rehearsal) -> Verdict:
    said = [f"{finding.file}: {finding.message}" if finding.file else finding.message for finding in rehearsal.findings]
    return Verdict("rehearse", "fine" if rehearsal.passed else "not restorable", said)
