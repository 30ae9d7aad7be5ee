"""`ptolemy verify`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.options import AsJson

if TYPE_CHECKING:
    from ptolemy.backups.findings import Report

EXAMPLE = "\b\nExample:\n  ptolemy verify acme-2026-11-27.zip && cp acme-2026-11-27.zip /mnt/offsite/"

EXIT_CODES = {"fine": 0, "damaged": 3, "incomplete": 4, "unreadable": 5}

BackupPath = Annotated[
    Path, typer.Argument(exists=True, help="The ZIP of a workspace's export, or a directory of exported files.")
]


def verify(
    backup: BackupPath,
    subset: Annotated[str, typer.Option(help="How much of the values to look at, by chance: 10%.")] = "100%",
    as_json: AsJson = False,
) -> None:
    """Check that a backup is whole; no server is needed.

    Hashes, counts, readable rows, and that everything a row refers to is there. Exits 0 when all is fine, 3 when the
    backup is damaged, 4 when it is incomplete, 5 when it is no backup that can be read.
    """
    from ptolemy.backups.verify import verify as verified
    from ptolemy.cli.failures import explained

    share = _share(subset)
    with explained():
        report = verified(backup, share=share)
    if as_json:
        print(json.dumps(_document(report), indent=2, ensure_ascii=False))
    else:
        _print(report)
    raise typer.Exit(EXIT_CODES[report.result])


def _share(subset: str) -> float:
    from ptolemy.cli.failures import wrong_usage

    try:
        share = float(subset.removesuffix("%")) / 100
    except ValueError:
        share = 0
    if not subset.endswith("%") or not 0 < share <= 1:
        wrong_usage(f"--subset must be a percentage like 10%, got {subset!r}")
    return share


def _document(report: Report) -> dict[str, object]:
    return {
        "backup": report.backup,
        "result": report.result,
        "format_version": report.format_version,
        "files": [
            {
                "file": each.file,
                "resource": each.resource,
                "rows": each.rows,
                "rows_checked": each.checked,
                "rows_whole": each.whole,
            }
            for each in report.files
        ],
        "findings": [
            {
                "file": each.file,
                "resource": each.resource,
                "kind": each.kind,
                "message": each.message,
                "rows": None if each.rows is None else {"first": each.rows[0], "last": each.rows[1]},
                "records": list(each.records),
                "restorable": each.restorable,
            }
            for each in report.findings
        ],
    }


def _print(report: Report) -> None:
    for each in report.files:
        print(f"{each.file}: {each.whole} of {each.rows} rows are whole")
    for finding in report.findings:
        where = f" (rows {finding.rows[0]} to {finding.rows[1]})" if finding.rows else ""
        print(f"{finding.kind}: {finding.file}{where}: {finding.message}")
        if finding.records:
            print(f"  records: {', '.join(finding.records)}")
        print(f"  can be restored: {finding.restorable}")
    print(f"{report.backup}: {report.result}")
