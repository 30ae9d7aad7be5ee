"""Files under keys like `<workspace>/<kind>/<uuid>`, whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol

from ptolemy.kernel.problems import NotFound, Problem

_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
_BLOCK = 1 << 20
_NEW = ".new-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StorageFull(Problem):
    status: ClassVar[int] = 507  # RFC 4918
    title: ClassVar[str] = "Insufficient storage"


class FileStore(Protocol):
    """Where exports and uploads are kept."""

    async def put(self, key: str, source: Path | BinaryIO) -> int:
        """Keeps a copy of the source and answers its size in bytes; on any error the key stays as it was.

        An open file is read from where it stands to its end; one at a path must not be changed afterwards, since it may
        be kept itself.
        """

    def path(self, key: str) -> Path:
        """Where the file lies on this machine, whether it is there or not."""

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """The file at a path to read from, for as long as the block lasts. Raises `NotFound`."""

    async def size(self, key: str) -> int:
        """In bytes. Raises `NotFound`."""

    async def delete(self, key: str) -> None:
        """Removes the file; one that isn't there is fine."""


class LocalFiles:
    """A directory, shared by every process that serves or works for this database."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key of a file: {key!r}")
        return self._directory / key

    async def put(self, key: str, source: Path | BinaryIO) -> int:
        with room_for(f"the file store has no room for {key}"):
            return await asyncio.to_thread(_put, self.path(key), source)

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        await self.size(key)
        yield self.path(key)

    async def size(self, key: str) -> int:
        try:
            return (await asyncio.to_thread(self.path(key).stat)).st_size
        except FileNotFoundError:
            raise NotFound("file_not_found", f"there is no file {key} in the file store") from None

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self.path(key).unlink, missing_ok=True)


def _put(path: Path, source: Path | BinaryIO) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same directory: a rename is atomic within one file system only.
    new = path.with_name(f"{_NEW}{secrets.token_hex(8)}")
    try:
        if not isinstance(source, Path) or not _linked(source, new):
            _copy(source, new)
        size = _synced(new)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _fsync_directory(path.parent)
    return size


def _linked(source: Path, new: Path) -> bool:
    """Within one file system a finished file needs no copy."""
    try:
        new.hardlink_to(source)
    except OSError:
        return False
    return True


def _copy(source: Path | BinaryIO, new: Path) -> None:
    with ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        shutil.copyfileobj(file, stack.enter_context(new.open("xb")), _BLOCK)


def _synced(file: Path) -> int:
    """Its size, once it is on the disk."""
    with file.open("rb") as written:
        os.fsync(written.fileno())
        return os.fstat(written.fileno()).st_size


def _fsync_directory(directory: Path) -> None:
    # Else the new name itself may be gone after a power failure.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def room_for(complaint: str) -> Iterator[None]:
    """Raises `StorageFull` with the complaint where the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFull("storage_full", f"{complaint}: free some space there and try again") from error
