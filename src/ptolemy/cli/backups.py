"""`ptolemy backups …`"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ptolemy.cli.groups import group
from ptolemy.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from ptolemy.cli.pruning import Pruned

commands = group("Look after the backups of policies.", name="backups")


@commands.callback()
def backups() -> None:
    """Look after the backups of policies."""


@commands.command(epilog="\b\nExample:\n  ptolemy backups prune --workspace acme --yes")
def prune(
    workspace: Annotated[str | None, typer.Option(help="Its slug; all workspaces by default.")] = None,
    policy: Annotated[str | None, typer.Option(help="A policy's name; all policies by default.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove what is listed; else nothing is removed.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the backups that their policies keep no longer; with --yes, remove them.

    A server does this by itself after each run. The newest verified backup of a policy is never removed.
    """
    from ptolemy.cli.failures import run
    from ptolemy.cli.pruning import prune_backups
    from ptolemy.settings import load_settings

    found = run(prune_backups(load_settings(data_dir=data_dir), workspace, policy, remove=yes))
    if as_json:
        print(json.dumps({"removed": yes, "data": [each.document() for each in found]}, indent=2))
    else:
        _print(found, removed=yes)
    if any(each.failed for each in found):
        raise typer.Exit(1)


def _print(found: list[Pruned], *, removed: bool) -> None:
    for each in found:
        word = "keeps" if each.spared else "can't remove" if each.failed else "removed" if removed else "would remove"
        print(f"{word} {each.location} ({each.reason})")
    gone = [each for each in found if not each.spared]
    if not gone:
        print("there is nothing to remove")
    elif not removed:
        print(f"{len(gone)} backups in all; nothing was removed: add --yes to do it")
