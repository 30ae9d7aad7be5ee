"""`ptolemy restore`"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.connection import InWorkspace, Profile, Token, Url
from ptolemy.cli.options import AsJson

if TYPE_CHECKING:
    from ptolemy.client import FileRestored

EXAMPLE = (
    "\b\nExamples:\n  ptolemy restore --from acme-2026-11-27.zip --workspace acme-copy"
    "\n  ptolemy restore --from acme-2026-11-27.zip --only instrument=bhp.ax"
)


def restore(
    from_: Annotated[
        str, typer.Option("--from", metavar="DIR|FILE.zip|s3://…/FILE.zip", help="What `ptolemy backup` wrote.")
    ],
    into_existing: Annotated[
        bool,
        typer.Option(
            "--into-existing", help="Into a workspace that holds data: records are matched by id, and changed back."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all of it, and change nothing.")] = False,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="KIND=NAME",
            help="One record with all that belongs to it, into the workspace that it is missing in.",
        ),
    ] = None,
    url: Url = None,
    token: Token = None,
    workspace: InWorkspace = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup, and say what became of each file.

    A ZIP is restored whole or not at all, with its types, by a person with the role editor. Of a directory each file
    is all or nothing, in the order in which they need each other, and the types have to be there; a robot may do that.
    """
    from ptolemy.cli.connection import connected
    from ptolemy.cli.import_files import print_row_errors
    from ptolemy.cli.progress import shown_progress
    from ptolemy.client import JobFailed

    record = _record(only) if only is not None else None
    with (
        connected(url, token, workspace, profile) as client,
        local_backup(from_) as whole,
        _part(whole, record) as source,
    ):
        try:
            with shown_progress(as_json=as_json) as tell:
                restored = client.restore(
                    source, into_existing=into_existing or record is not None, dry_run=dry_run, on_progress=tell
                )
        except JobFailed as error:
            if error.restored:
                _show(error.restored, as_json=as_json)
            if not as_json:
                print_row_errors(error.job)
            raise
    _show(restored.files, as_json=as_json)
    if not as_json:
        for job in restored.jobs:
            print_row_errors(job)
        if dry_run:
            print("this was a dry run: nothing was changed")
    raise typer.Exit(1 if restored.failed else 0)


def _record(only: str) -> tuple[str, str]:
    from ptolemy.cli.failures import wrong_usage

    kind, equals, name = only.partition("=")
    if not (kind and equals and name):
        wrong_usage(f"--only must be like instrument=bhp.ax, got {only!r}")
    return kind, name


@contextmanager
def _part(backup: Path, record: tuple[str, str] | None) -> Iterator[Path]:
    """What is to be restored: all of the backup, or a smaller one made of it."""
    if record is None:
        yield backup
        return
    from ptolemy.backups.archive.subset import subset
    from ptolemy.cli.failures import explained

    with TemporaryDirectory(prefix="ptolemy-restore-") as folder:
        path = Path(folder) / "part.zip"
        with explained():
            report = subset(backup, *record, path)
        for finding in report.findings:
            print(f"ptolemy: the backup is damaged: {finding.file}: {finding.message}", file=sys.stderr)
        yield path


@contextmanager
def local_backup(place: str) -> Iterator[Path]:
    """The backup as a path; one in S3 is brought here for as long as the block lasts."""
    from ptolemy.cli.failures import wrong_usage
    from ptolemy.cli.remote import Remote, is_remote

    if is_remote(place):
        with Remote.at(place).local() as path:
            yield path
        return
    if not Path(place).exists():
        wrong_usage(f"there is no {place}")
    if not (Path(place).is_file() or Path(place).is_dir()):
        wrong_usage(f"a backup is a file or a directory, which a pipe is not: write it to a file first, got {place}")
    yield Path(place)


def _show(files: Sequence[FileRestored], *, as_json: bool) -> None:
    from ptolemy.cli.columns import columns

    if as_json:
        print(json.dumps({"files": [asdict(each) for each in files]}, indent=2, ensure_ascii=False))
        return
    headings = ("file", "expected", "created", "changed", "unchanged", "failed")
    print("\n".join(columns(headings, [list(asdict(each).values()) for each in files])))
