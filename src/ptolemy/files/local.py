"""Files in a directory, shared by every process that serves or works for this database."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ptolemy.files.store import Found, ServedAs, StorageUnavailable, checked, log, missing, room_for

_BLOCK = 1 << 20
_NEW = ".new-"
_IDENTITY = ".identity"
_REFUSALS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP}
    | {errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO}
)
"""What the directory says where nothing can be kept in it; the second line, where it is one of a network and away."""
_LEFT_SECONDS = 24 * 3600
"""No file takes so long to be written: who began it is dead."""


class LocalFiles:
    """A directory, made when the first file is put."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, key: str) -> Path:
        return self._directory / checked(key)

    async def put(self, key: str, source: Path | BinaryIO, served_as: ServedAs | None = None) -> int:
        try:
            with room_for(f"the file store has no room for {key}"):
                return await asyncio.to_thread(_put, self.path(key), source)
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise  # the source's own
            raise _unavailable(key, "kept", error) from error

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        await self.size(key)
        yield self.path(key)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self.path(key).open, "rb")
        except FileNotFoundError:
            raise missing(key) from None
        except OSError as error:
            raise _unavailable(key, "read", error) from error
        with file:
            while block := await asyncio.to_thread(file.read, _BLOCK):
                yield block

    async def size(self, key: str) -> int:
        try:
            return (await asyncio.to_thread(self.path(key).stat)).st_size
        except FileNotFoundError:
            raise missing(key) from None
        except OSError as error:
            raise _unavailable(key, "read", error) from error

    async def delete(self, key: str) -> None:
        try:
            await asyncio.to_thread(self.path(key).unlink, missing_ok=True)
        except OSError as error:
            raise _unavailable(key, "removed", error) from error

    async def address(self, key: str, seconds: int) -> str | None:
        return None

    async def files(self, folder: str) -> AsyncIterator[Found]:
        for found in await asyncio.to_thread(_files, self._directory, self.path(folder)):
            yield found

    async def tidy(self) -> None:
        await asyncio.to_thread(_remove_left, self._directory, time.time() - _LEFT_SECONDS)

    async def check(self) -> None:
        await asyncio.to_thread(_check, self._directory)

    async def identity(self) -> str:
        return await asyncio.to_thread(_identity, self._directory)


def known_identity(directory: Path) -> str | None:
    """What `identity` answers, where a process has asked for it before; nothing is written."""
    try:
        return (directory / _IDENTITY).read_text().strip()
    except OSError:
        return None


def _unavailable(key: str, what: str, error: OSError) -> StorageUnavailable:
    log.warning("storage_unavailable", key=key, reason=str(error))
    return StorageUnavailable("storage_unavailable", f"{key} can't be {what}: {error.strerror}")


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
    os.utime(new)  # the sweep asks since when it is kept
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


def _check(directory: Path) -> None:
    # A link that leads nowhere is there too: nothing can be made in its place.
    existing = next(each for each in (directory, *directory.parents) if os.path.lexists(each))
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        log.warning("storage_unavailable", reason=f"{existing} can't be written to")
        raise StorageUnavailable("storage_unavailable", "the file store can't be written to: run `ptolemy doctor`")


def _files(directory: Path, folder: Path) -> list[Found]:
    found = []
    for path in folder.rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        with suppress(FileNotFoundError):  # removed a moment ago
            changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(Found(path.relative_to(directory).as_posix(), changed))
    return found


def _remove_left(directory: Path, before: float) -> None:
    for path in directory.rglob(f"{_NEW}*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _identity(directory: Path) -> str:
    """Empty where it can't be kept: the first file that is put then says why."""
    try:
        return known_identity(directory) or _new_identity(directory)
    except OSError:
        return ""


def _new_identity(directory: Path) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    # Written aside and linked: two processes at their first start agree on one, and nobody reads half of it.
    aside = directory / f"{_NEW}{secrets.token_hex(8)}"
    aside.write_text(f"{secrets.token_hex(8)}\n")
    with suppress(FileExistsError):
        (directory / _IDENTITY).hardlink_to(aside)
    aside.unlink()
    return (directory / _IDENTITY).read_text().strip()
