"""Is a backup whole? Told without a server: hashes, counts, readable rows, and references that lead somewhere."""

from __future__ import annotations

from pathlib import Path

from ptolemy.backups.archive.files import BackupFile
from ptolemy.backups.archive.findings import FileSummary, Finding, Report
from ptolemy.backups.archive.opening import open_backup
from ptolemy.backups.archive.references import TARGETS, Checker, References
from ptolemy.formats.manifest import PackedFile


def verify(path: Path, *, share: float = 1) -> Report:
    """All that is wrong with the backup at a path; `share` says how much of the values to look at."""
    backup = open_backup(path, share)
    report = Report(str(path), backup.manifest.format_version if backup.manifest else None, findings=backup.findings)
    references = References()
    for file in backup.files:
        if file.resource in TARGETS:
            references.learn(file)
    for file in backup.files:
        report.files.append(_checked(file, references.checker(file)))
        report.findings += file.findings
        if file.packed and sum(block.rows for block in file.packed.blocks) != file.packed.rows:
            report.findings.append(_miscounted(file.packed))
    return report


def _checked(file: BackupFile, checker: Checker) -> FileSummary:
    summary = FileSummary(file.name, file.resource, file.packed.rows if file.packed else 0)
    for rows in file.rows():
        summary.checked += rows.count
        if rows.found is not None:
            summary.whole += rows.count
            checker.check(rows.first, rows.found)
    file.findings += checker.findings()
    if file.packed is None:
        summary.rows = summary.checked
    return summary


def _miscounted(file: PackedFile) -> Finding:
    held = sum(block.rows for block in file.blocks)
    message = f"it holds {held} rows, the manifest promises {file.rows}"
    return Finding(file.name, "damaged", message, "all rows that are there", file.resource)
