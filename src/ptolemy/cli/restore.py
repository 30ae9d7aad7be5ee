"""`ptolemy restore`"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.connection import InWorkspace, Profile, Token, Url
from ptolemy.cli.options import AsJson

if TYPE_CHECKING:
    from ptolemy.client import FileRestored

EXAMPLE = "\b\nExample:\n  ptolemy restore --from acme-2026-11-27.zip --workspace acme-copy"


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

    with connected(url, token, workspace, profile) as client, local_backup(from_) as source:
        try:
            with shown_progress(as_json=as_json) as tell:
                files = client.restore(source, into_existing=into_existing, dry_run=dry_run, on_progress=tell)
        except JobFailed as error:
            if error.restored:
                _show(error.restored, as_json=as_json)
            if not as_json:
                print_row_errors(error.job)
            raise
        _show(files, as_json=as_json)
        if dry_run and not as_json:
            print("this was a dry run: nothing was changed")


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
    yield Path(place)


def _show(files: Sequence[FileRestored], *, as_json: bool) -> None:
    from ptolemy.cli.columns import columns

    if as_json:
        print(json.dumps({"files": [asdict(each) for each in files]}, indent=2, ensure_ascii=False))
        return
    headings = ("file", "expected", "created", "changed", "failed")
    print("\n".join(columns(headings, [list(asdict(each).values()) for each in files])))
