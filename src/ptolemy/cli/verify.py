"""`ptolemy verify`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.connection import InWorkspace, Profile, Token, Url
from ptolemy.cli.options import AsJson

if TYPE_CHECKING:
    from ptolemy.backups.archive.findings import Report
    from ptolemy.client import Rehearsal

EXAMPLE = (
    "\b\nExamples:\n  ptolemy verify acme-2026-11-27.zip && cp acme-2026-11-27.zip /mnt/offsite/"
    "\n  ptolemy verify acme-2026-11-27.zip --rehearse"
)

EXIT_CODES = {"fine": 0, "damaged": 3, "incomplete": 4, "unreadable": 5}

BackupPlace = Annotated[
    str,
    typer.Argument(help="The ZIP of a workspace's export, one in S3 (`s3://…`), or a directory of exported files."),
]


def verify(
    backup: BackupPlace,
    subset: Annotated[str, typer.Option(help="How much of the values to look at, by chance: 10%.")] = "100%",
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Then send it to a server that restores it where nobody sees it, and compares."
        ),
    ] = False,
    url: Url = None,
    token: Token = None,
    workspace: InWorkspace = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Check that a backup is whole; without --rehearse no server is needed.

    Hashes, counts, readable rows, and that everything a row refers to is there. Exits 0 when all is fine, 3 when the
    backup is damaged, 4 when it is incomplete, 5 when it is no backup that can be read. A rehearsal of a ZIP restores
    all of it, exports that again and compares every byte, in the workspace of the connection, whose records it doesn't
    touch; a backup that fails it exits 3.
    """
    from ptolemy.backups.archive.verify import verify as verified
    from ptolemy.cli.connection import told_in_one_line
    from ptolemy.cli.failures import explained, wrong_usage
    from ptolemy.cli.restore import local_backup

    share = _share(subset)
    if rehearse and Path(backup).is_dir():
        wrong_usage("--rehearse is for the ZIP of a workspace: the files of a directory carry no types")
    with told_in_one_line(), local_backup(backup) as path:
        with explained():
            report = verified(path, share=share)
        report.backup = backup
        document = _document(report)
        if not as_json:
            _print(report)
        code = EXIT_CODES[report.result]
        if rehearse and code == 0:
            rehearsal = _rehearse(path, url, token, workspace, profile, as_json=as_json)
            document["rehearsal"] = rehearsal.job
            code = 0 if rehearsal.passed else EXIT_CODES["damaged"]
            if not as_json:
                _print_rehearsal(rehearsal)
    if as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    raise typer.Exit(code)


def _rehearse(
    backup: Path, url: str | None, token: str | None, workspace: str | None, profile: str | None, *, as_json: bool
) -> Rehearsal:
    from ptolemy.cli.connection import connected
    from ptolemy.cli.progress import shown_progress

    with connected(url, token, workspace, profile) as client, shown_progress(as_json=as_json) as tell:
        return client.rehearse(backup, on_progress=tell)


def _print_rehearsal(rehearsal: Rehearsal) -> None:
    for finding in rehearsal.findings:
        where = f"{finding['file']}: " if finding["file"] else ""
        print(f"{where}{finding['message']}")
        if finding["records"]:
            print(f"  records: {', '.join(finding['records'])}")
    rows = rehearsal.job["rows_restored"]
    print(f"the rehearsal {rehearsal.job['result']}: {rows:,} rows were restored")


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
