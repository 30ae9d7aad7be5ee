"""`ptolemy diff`"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.connection import InWorkspace, Profile, Token, Url
from ptolemy.cli.options import AsJson
from ptolemy.cli.verify import EXIT_CODES

if TYPE_CHECKING:
    from ptolemy.backups.archive.diff import Comparison

EXAMPLE = "\b\nExamples:\n  ptolemy diff monday.zip tuesday.zip\n  ptolemy diff monday.zip workspace:"

_LIVE = "workspace:"

Side = Annotated[
    str, typer.Argument(help="A backup as of `ptolemy verify`, or `workspace:` or `workspace:SLUG`, as it is now.")
]


def diff(
    one: Side,
    other: Side,
    url: Url = None,
    token: Token = None,
    workspace: InWorkspace = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show what is different between two backups: rows added, removed and changed, by resource and field.

    Of a live workspace a backup is taken to a temporary place first, over the connection of `ptolemy backup`: an
    archive, which takes a person with the role editor, or beside a directory of exported files another such directory,
    which a robot may take. Exits 0 when both hold the same rows, 1 when they don't; 3, 4 or 5 when one
    can't be read whole, see `ptolemy verify`.
    """
    from ptolemy.backups.archive.diff import compare
    from ptolemy.backups.archive.findings import Report
    from ptolemy.cli.connection import told_in_one_line
    from ptolemy.cli.failures import explained

    with told_in_one_line(), ExitStack() as held:
        name = "workspace" if any(map(_is_directory_of_files, (one, other))) else "workspace.zip"
        left, right = (
            held.enter_context(_at_hand(side, name, url, token, workspace, profile)) for side in (one, other)
        )
        with explained():
            comparison = compare(left, right)
    if as_json:
        print(json.dumps(_document(comparison), indent=2, ensure_ascii=False))
    else:
        _print(comparison)
    if comparison.findings:
        raise typer.Exit(EXIT_CODES[Report("", findings=comparison.findings).result])
    raise typer.Exit(0 if comparison.equal else 1)


def _is_directory_of_files(side: str) -> bool:
    from ptolemy.formats.manifest import MANIFEST

    path = Path(side)
    return not side.startswith(_LIVE) and path.is_dir() and not (path / MANIFEST).exists()


@contextmanager
def _at_hand(
    side: str, name: str, url: str | None, token: str | None, workspace: str | None, profile: str | None
) -> Iterator[Path]:
    """The backup as a path, for as long as the block lasts; `name` says of which kind one of a live workspace is."""
    from ptolemy.cli.connection import connected
    from ptolemy.cli.restore import local_backup

    if not side.startswith(_LIVE):
        with local_backup(side) as path:
            yield path
        return
    with TemporaryDirectory(prefix="ptolemy-diff-") as folder:
        path = Path(folder) / name
        with connected(url, token, side.removeprefix(_LIVE) or workspace, profile) as client:
            client.backup(path)
        yield path


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
