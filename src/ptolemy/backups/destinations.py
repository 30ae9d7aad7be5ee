"""Where backups go: a directory that the operator allows, or a bucket of S3."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from uuid import UUID

from ptolemy.backups.surroundings import Surroundings
from ptolemy.engine.fields import Text
from ptolemy.files.opening import BRIEF, open_store
from ptolemy.files.s3 import Patience
from ptolemy.files.store import FileStore, StorageUnavailable
from ptolemy.kernel.problems import Conflict
from ptolemy.kernel.quoting import seen

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
_NOT_IN_A_KEY = re.compile(r"[^a-z0-9]+")


class Destination(Text):
    """`s3://bucket/prefix`, or `file:///` and a directory; one that the operator allows."""

    fault = "invalid_destination"

    def accept(self, value: Any) -> str:
        text = super().accept(value)
        text = text if text.endswith("///") else text.rstrip("/")
        scheme, colon, rest = text.partition(":")
        text = scheme.lower() + colon + rest  # RFC 3986, section 3.1
        try:
            parts = urlsplit(text)
        except ValueError:
            parts = urlsplit("")
        if {"?", "#"} & set(text) or not (_is_bucket(parts) or _is_directory(parts)):
            raise ValueError(
                f"must be s3://bucket/prefix, or file:/// and a directory like file:///srv/backups, got {seen(text)}"
            )
        return text


def _is_bucket(parts: SplitResult) -> bool:
    return parts.scheme == "s3" and bool(_BUCKET.fullmatch(parts.netloc) and _PREFIX.fullmatch(parts.path))


def _is_directory(parts: SplitResult) -> bool:
    path = unquote(parts.path)
    return parts.scheme == "file" and not parts.netloc and path.startswith("/") and "\0" not in path


def directory_of(url: str) -> Path | None:
    """The directory that a destination is on this machine; None for a bucket."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


async def refusal(url: str, surroundings: Surroundings) -> str | None:
    """Why nothing may be written there, in the user's words; None where it may.

    It is written with the operator's rights, not with those of whoever names it.
    """
    directory = directory_of(url)
    # Which directories and buckets there are is the operator's business.
    if directory is None:
        if any(url == each or url.startswith(f"{each}/") for each in surroundings.buckets):
            return None
        return "is in no bucket that the operator allows backups to be written to (PTOLEMY_BACKUP_BUCKETS)"
    if await asyncio.to_thread(_lies_within, directory, surroundings.directories):
        return None
    return "is no directory that the operator allows backups to be written to (PTOLEMY_BACKUP_DIRECTORIES)"


def _lies_within(directory: Path, allowed: Sequence[Path]) -> bool:
    """Whether it does once every symbolic link is followed and every `..` is taken."""
    try:
        real = directory.resolve()
        return any(real == each or each in real.parents for each in (one.resolve() for one in allowed))
    except (OSError, RuntimeError):  # a loop of links, a name that is too long
        return False


async def open_allowed(url: str, surroundings: Surroundings) -> FileStore:
    """The store at a destination, to write to; a `Conflict` where the operator doesn't allow it any more."""
    if reason := await refusal(url, surroundings):
        raise Conflict("destination_refused", f"{url} {reason}")
    return open_destination(url, surroundings.patience)


def open_destination(url: str, patience: Patience = BRIEF) -> FileStore:
    """The store at a destination, to read what we have written there."""
    try:
        return open_store(url, patience)
    except StorageUnavailable as error:
        # Who reads this need not know where backups lie.
        raise StorageUnavailable("storage_unavailable", "the backup's destination can't be used") from error


def key_at_destination(slug: str, policy_id: UUID, policy_name: str, run_id: UUID, taken_at: datetime) -> str:
    """Where a run's file lies below the destination: `<workspace>/<policy>/<instant>-<run>.zip`, in lower case."""
    name = _NOT_IN_A_KEY.sub("-", policy_name.lower()).strip("-")[:60].strip("-") or str(policy_id)
    return f"{slug}/{name}/{taken_at:%Y%m%dt%H%M%Sz}-{run_id}.zip"
