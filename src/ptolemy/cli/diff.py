"""`ptolemy diff`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from ptolemy.cli.options import AsJson
from ptolemy.cli.verify import EXIT_CODES, BackupPath

if TYPE_CHECKING:
    from ptolemy.backups.diff import Comparison

EXAMPLE = "\b\nExample:\n  ptolemy diff monday.zip tuesday.zip"


def diff(one: BackupPath, other: BackupPath, as_json: AsJson = False) -> None:
    """Show what is different between two backups: rows added, removed and changed, by resource and field.

    Exits 0 when they hold the same rows, 1 when they don't; 3, 4 or 5 when one can't be read whole, see
    `ptolemy verify`.
    """
    from ptolemy.backups.diff import compare
    from ptolemy.backups.findings import Report
    from ptolemy.cli.failures import explained

    with explained():
        comparison = compare(one, other)
    if as_json:
        print(json.dumps(_document(comparison), indent=2, ensure_ascii=False))
    else:
        _print(comparison)
    if comparison.findings:
        raise typer.Exit(EXIT_CODES[Report("", findings=comparison.findings).result])
    raise typer.Exit(0 if comparison.equal else 1)


def _document(comparison: Comparison) -> dict[str, object]:
    return {
        "equal": comparison.equal and not comparison.findings,
        "resources": [
            {
                "resource": each.resource,
                "added": each.added,
                "removed": each.removed,
                "changed": each.changed,
                "fields": dict(each.fields),
                "first": each.first,
            }
            for each in comparison.differences
        ],
        "unreadable": [{"file": each.file, "message": each.message} for each in comparison.findings],
    }


def _print(comparison: Comparison) -> None:
    for each in comparison.differences:
        if each.added or each.removed or each.changed:
            print(f"{each.resource}: {each.added} added, {each.removed} removed, {each.changed} changed")
            for name, count in each.fields.most_common():
                print(f"  {name}: {count}")
            for kind, records in each.first.items():
                print(f"  first {kind}: {', '.join(records)}")
    for finding in comparison.findings:
        print(f"{finding.kind}: {finding.file}: {finding.message}")
    if comparison.equal and not comparison.findings:
        print("the backups hold the same rows")
