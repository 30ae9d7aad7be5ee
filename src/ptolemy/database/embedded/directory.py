"""The data directory: made, ours, and open to the account that runs the server."""

from __future__ import annotations

import os
from pathlib import Path

from ptolemy.database.embedded.children import Account, EmbeddedProblem
from ptolemy.database.embedded.locks import opened


def prepared(directory: Path) -> Path:
    """Its full path, there and ours; a problem where it can't be."""
    directory = directory.resolve()
    if any(character in str(directory) for character in '"$`\\\n'):
        raise EmbeddedProblem(f"PostgreSQL can't live in {directory}: choose a path without quotes, $, ` and \\")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        raise EmbeddedProblem(
            f"{directory} can't be made ({refusal.strerror}): choose another data directory (PTOLEMY_DATA_DIR)"
        ) from None
    opened(directory / "start.lock").close()
    if os.geteuid() in (0, directory.stat().st_uid):
        # Others may pass, to the cluster that is theirs, but look at nothing. Its parents we never change.
        directory.chmod(0o711)
    return directory


def check_reachable(directory: Path, account: Account) -> None:
    """A problem that names the parent which keeps the account out."""
    if account.may_enter(directory):
        return
    closed = next(parent for parent in [*reversed(directory.parents), directory] if not account.may_enter(parent))
    raise EmbeddedProblem(
        f"PostgreSQL runs as {account.name}, who may not enter {closed}: choose another data directory"
        f" (PTOLEMY_DATA_DIR), or allow it with `chmod o+x {closed}`"
    )
