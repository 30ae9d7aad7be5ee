"""Which file store an address means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from ptolemy.files.local import LocalFiles
from ptolemy.files.s3 import BRIEF, LONG, Patience, S3Files
from ptolemy.files.store import FileStore

__all__ = ["BRIEF", "LONG", "open_store"]


def open_store(url: str, patience: Patience = BRIEF) -> FileStore:
    """The store at `file:///…` or `s3://bucket/prefix`; nothing is asked of it yet."""
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return S3Files(url, patience)
    return LocalFiles(Path(unquote(parts.path)))
