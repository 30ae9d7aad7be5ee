"""Small files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ptolemy.database.embedded.children import Account


def write_whole(path: Path, text: str, mode: int, owner: Account | None = None) -> None:
    """Replaces the file in one step."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    # Exclusive: as root we may write in a directory of another user, who mustn't lead us elsewhere by a link.
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        if owner and not owner.is_ours:
            os.fchown(file.fileno(), owner.uid, owner.gid)
        os.fsync(file.fileno())
    beside.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes the names in it durable: a rename is lost with the power otherwise."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
