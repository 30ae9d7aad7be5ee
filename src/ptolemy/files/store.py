"""Files under keys like `<workspace>/<kind>/<name>`, whole or not at all, wherever they are kept."""

from __future__ import annotations

import errno
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol

import structlog

from ptolemy.kernel import metrics
from ptolemy.kernel.problems import NotFound, Problem

_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a disk says that has no room."""

log = structlog.get_logger("ptolemy.files")


class StorageFull(Problem):
    status: ClassVar[int] = 507  # RFC 4918
    title: ClassVar[str] = "Insufficient storage"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        metrics.storage_failed("full")


class StorageUnavailable(Problem):
    status: ClassVar[int] = 503
    title: ClassVar[str] = "Storage unavailable"

    def __init__(self, code: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, detail, headers=headers)
        metrics.storage_failed("unavailable")


@dataclass(frozen=True)
class ServedAs:
    """How a file is called, and what it is, when it is downloaded."""

    name: str
    media_type: str


@dataclass(frozen=True)
class Found:
    key: str
    changed_at: datetime


class FileStore(Protocol):
    """Where exports and uploads are kept.

    Everything raises `StorageUnavailable` where the store can't be reached or refuses, after some patience.
    """

    async def put(self, key: str, source: Path | BinaryIO, served_as: ServedAs | None = None) -> int:
        """Keeps a copy of the source and answers its size in bytes, once the store has confirmed it.

        On any error the key stays as it was. An open file is read from where it stands to its end; one at a path must
        not be changed afterwards, since it may be kept itself.
        """

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The file at a path to read from, for as long as the block lasts. Raises `NotFound`."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The file's content, some megabytes at a time. Raises `NotFound`."""

    async def size(self, key: str) -> int:
        """In bytes. Raises `NotFound`."""

    async def delete(self, key: str) -> None:
        """Removes the file; one that isn't there is fine."""

    def path(self, key: str) -> Path | None:
        """Where the file lies on this machine, whether it is there or not; None where it never does."""

    async def address(self, key: str, seconds: int) -> str | None:
        """An address of the store's own at which anyone may read the file for so long; None where it has none."""

    def files(self, folder: str) -> AsyncIterator[Found]:
        """What there is in the folder and below it, in no order."""

    async def tidy(self) -> None:
        """Removes what killed writers have left behind, where the store doesn't do so by itself."""

    async def check(self) -> None:
        """Raises where nothing could be kept now; writes nothing, and asks once."""

    async def identity(self) -> str:
        """The same in every process that keeps its files in the same place."""


def cause_of(error: BaseException) -> str:
    """The first line of what stands behind an error, like what the bucket itself said; empty where nothing does."""
    return f"{error.__cause__}".partition("\n")[0] if error.__cause__ else ""


def checked(key: str) -> str:
    """The key, which can't lead out of the store."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key of a file: {key!r}")
    return key


def missing(key: str) -> NotFound:
    return NotFound("file_not_found", f"there is no file {key} in the file store")


async def discard(files: FileStore, key: str) -> None:
    """Removes a file that nobody needs any more; where the store doesn't answer, the sweep does it later."""
    try:
        await files.delete(key)
    except StorageUnavailable:
        log.warning("file_left_to_the_sweep", key=key)


@contextmanager
def room_for(complaint: str) -> Iterator[None]:
    """Raises `StorageFull` with the complaint where the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StorageFull("storage_full", f"{complaint}: free some space there and try again") from error
