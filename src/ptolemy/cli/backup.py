"""`ptolemy backup`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptolemy.cli.connection import InWorkspace, Profile, Token, Url
from ptolemy.cli.options import AsJson

if TYPE_CHECKING:
    from ptolemy.client import Client
    from ptolemy.client.progress import Tell

EXAMPLE = "\b\nExample:\n  ptolemy backup --to acme-$(date +%F).zip && ptolemy verify acme-$(date +%F).zip"


def backup(
    to: Annotated[
        str, typer.Option(metavar="DIR|FILE.zip|s3://…/FILE.zip", help="A directory, a ZIP, or a ZIP in S3.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a backup of that name, once the new one is whole.")
    ] = False,
    url: Url = None,
    token: Token = None,
    workspace: InWorkspace = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Back a workspace up.

    To a ZIP it is the archive of all there is, types too, as of one instant; that takes a person with the role editor.
    To a directory it is one file for each resource type, without types: what a robot may do. S3 is reached by the
    usual AWS_… variables; what was sent is read back and compared before the local copy is removed.
    """
    from ptolemy.cli.columns import columns
    from ptolemy.cli.connection import connected
    from ptolemy.cli.export import file_document
    from ptolemy.cli.progress import shown_progress
    from ptolemy.cli.remote import is_remote

    with connected(url, token, workspace, profile) as client, shown_progress(as_json=as_json) as tell:
        if is_remote(to):
            jobs = _to_storage(client, to, tell, overwrite=overwrite)
        else:
            jobs = client.backup(Path(to), overwrite=overwrite, on_progress=tell)
    done = [file_document(job) for job in jobs]
    if as_json:
        print(json.dumps({"backup": to, "files": done}, indent=2, ensure_ascii=False))
    else:
        shown = [(each["file"], each["rows"], each["bytes"], each["sha256"]) for each in done]
        print("\n".join(columns(("file", "rows", "bytes", "sha256"), shown)))


def _to_storage(client: Client, to: str, tell: Tell, *, overwrite: bool) -> list[dict[str, Any]]:
    from ptolemy.cli.remote import Remote, kept_until_stored

    remote = Remote.at(to)
    if overwrite:
        remote.refuse_missing_bucket()
    else:
        remote.refuse_existing()
    with kept_until_stored(remote) as path:
        [job] = client.backup(path, on_progress=tell)
        remote.store(path, job["sha256"])
    return [job | {"path": to}]
