"""Files in a bucket of S3, or of what speaks its language.

A file is sent in parts, which the store puts together at the end, so that it is there whole or not at all. Each request
is signed over the hash of its content, so the store itself refuses what was changed on the way; the size of the whole
is asked for before the sender may forget its own copy.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from ptolemy.files.scratch import scratch_folder
from ptolemy.files.store import Found, ServedAs, StorageUnavailable, checked, log, missing, room_for

T = TypeVar("T")

_BLOCK = 4 << 20
_PART_BYTES = 8 << 20
_MOST_PARTS = 9_000
"""S3 takes 10,000 in one file; the parts of a larger file are larger."""
_AT_ONCE = 4
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REFUSED = (PermissionDeniedError, UnauthenticatedError)
_FAULTS = (BaseError, FileNotFoundError)
"""What isn't there the client tells by Python's own class."""


@dataclass(frozen=True)
class Patience:
    """How long to bear with a store that fails: a request is repeated for `request_seconds`, then the whole is."""

    request_seconds: float
    attempts: int
    first_wait_seconds: float


BRIEF = Patience(request_seconds=5, attempts=3, first_wait_seconds=0.5)
"""For someone who waits for an answer."""
LONG = Patience(request_seconds=60, attempts=6, first_wait_seconds=2)
"""For a job: what it has made is worth minutes of waiting."""


class S3Files:
    """`s3://bucket/prefix`; endpoint, region and keys come from the usual `AWS_…` variables.

    Raises `StorageUnavailable` where one of these can't be meant.
    """

    def __init__(self, url: str, patience: Patience = BRIEF) -> None:
        self._url, self._patience = url.rstrip("/"), patience
        _check_endpoint()
        try:
            self._store = S3Store.from_url(
                url,
                client_options={"allow_http": _endpoint().startswith("http://"), "timeout": timedelta(seconds=60)},
                retry_config={"max_retries": 8, "retry_timeout": timedelta(seconds=patience.request_seconds)},
            )
        except BaseError as error:
            raise StorageUnavailable("storage_unavailable", f"{url} can't be used: {_reason(error)}") from error

    def path(self, key: str) -> Path | None:
        return None

    async def put(self, key: str, source: Path | BinaryIO, served_as: ServedAs | None = None) -> int:
        with ExitStack() as stack:
            file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            start, end = await asyncio.to_thread(_extent, file)

            async def send() -> None:
                await asyncio.to_thread(file.seek, start)
                try:
                    await self._send(checked(key), file, end - start, served_as)
                    await self._confirm(key, end - start)
                except FileNotFoundError as error:
                    # The bucket is missing; or the store has put the parts together, we haven't heard of it, and
                    # it knows of no parts when it is asked again.
                    raise _Damaged(_reason(error)) from error

            await self._patiently(key, send)
        return end - start

    async def _send(self, key: str, file: BinaryIO, size: int, served_as: ServedAs | None) -> None:
        attributes: Any = {}
        if served_as:
            attributes = {
                "Content-Type": served_as.media_type,
                "Content-Disposition": f'attachment; filename="{served_as.name}"',
            }
        if size <= _PART_BYTES:
            content = await asyncio.to_thread(file.read)
            await obstore.put_async(self._store, key, content, attributes=attributes, use_multipart=False)
            return
        await obstore.put_async(
            self._store,
            key,
            _blocks(file),
            attributes=attributes,
            chunk_size=max(_PART_BYTES, size // _MOST_PARTS + 1),
            max_concurrency=_AT_ONCE,
        )

    async def _confirm(self, key: str, size: int) -> None:
        kept = (await obstore.head_async(self._store, key))["size"]
        if kept != size:
            raise _Damaged(f"the store has {kept} bytes of {key}, not {size}")

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        with scratch_folder("import") as folder:
            path = folder / "file"
            with room_for("the server's temporary directory has no room for the file"), path.open("wb") as file:
                async for block in self.read(key):
                    await asyncio.to_thread(file.write, block)
            yield path

    async def read(self, key: str) -> AsyncIterator[bytes]:
        size = await self.size(key)
        for start in range(0, size, _AT_ONCE * _BLOCK):
            window = range(start, min(size, start + _AT_ONCE * _BLOCK), _BLOCK)
            for block in await asyncio.gather(*(self._range(key, at, min(size, at + _BLOCK)) for at in window)):
                yield block

    async def _range(self, key: str, start: int, end: int) -> bytes:
        async def get() -> bytes:
            block = bytes(await obstore.get_range_async(self._store, key, start=start, end=end))
            if len(block) != end - start:
                raise _Damaged(f"the store gave {len(block)} bytes of {key}, not {end - start}")
            return block

        return await self._found(key, get)

    async def size(self, key: str) -> int:
        return (await self._found(key, lambda: obstore.head_async(self._store, checked(key))))["size"]

    async def delete(self, key: str) -> None:
        try:
            await self._patiently(key, lambda: obstore.delete_async(self._store, checked(key)))
        except FileNotFoundError:
            return

    async def address(self, key: str, seconds: int) -> str | None:
        signed: str = await self._patiently(
            key, lambda: obstore.sign_async(self._store, "GET", checked(key), timedelta(seconds=seconds))
        )
        return signed

    async def files(self, folder: str) -> AsyncIterator[Found]:
        try:
            async for page in obstore.list(self._store, prefix=checked(folder)):
                for each in page:
                    yield Found(each["path"], each["last_modified"])
        except _FAULTS as error:
            raise _unavailable(folder, error) from error

    async def tidy(self) -> None:
        """Parts of files that were never completed are removed by a rule of the bucket."""

    async def check(self) -> None:
        # Nothing lies there: a bucket that is missing, closed or down tells so all the same.
        async for _ in self.files("ready"):
            break

    async def identity(self) -> str:
        return identity(self._url)

    async def _found(self, key: str, attempt: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._patiently(key, attempt)
        except FileNotFoundError:
            raise missing(key) from None

    async def _patiently(self, key: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """What `attempt` answers, tried again where the store fails; what isn't there is a `FileNotFoundError`."""
        for number in range(self._patience.attempts):
            try:
                return await attempt()
            except _FAULTS as error:
                if isinstance(error, FileNotFoundError):
                    raise
                if isinstance(error, _REFUSED) or number + 1 == self._patience.attempts:
                    raise _unavailable(key, error) from error
                log.warning("storage_failed", key=key, reason=_reason(error), attempt=number + 1)
            await asyncio.sleep(self._patience.first_wait_seconds * 2**number)
        raise AssertionError("the last attempt answers or raises")


class _Damaged(BaseError):
    """What arrived isn't what was sent."""


def identity(url: str) -> str:
    """The identity of the store at `url`, without asking it."""
    return hashlib.sha256(f"{_endpoint()} {url.rstrip('/')}".encode()).hexdigest()[:16]


def _endpoint() -> str:
    return next((os.environ[name] for name in _ENDPOINT_VARIABLES if os.environ.get(name)), "")


def _check_endpoint() -> None:
    # The client panics at the first request where this is no address.
    for name in _ENDPOINT_VARIABLES:
        if (value := os.environ.get(name)) and not _is_web_address(value):
            detail = f"{name} must be an address like https://minio.example.com, got {value!r}"
            raise StorageUnavailable("storage_unavailable", detail)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _extent(file: BinaryIO) -> tuple[int, int]:
    """Where it stands, and its end."""
    start = file.tell()
    return start, file.seek(0, SEEK_END)


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    while block := await asyncio.to_thread(file.read, _BLOCK):
        yield block


def _unavailable(key: str, error: Exception) -> StorageUnavailable:
    log.warning("storage_unavailable", key=key, reason=_reason(error))
    if isinstance(error, _REFUSED):
        return StorageUnavailable(
            "storage_unavailable", "the file store refuses the server's credentials: tell the operator"
        )
    return StorageUnavailable(
        "storage_unavailable", "the file store doesn't answer: try again in a while", headers={"Retry-After": "30"}
    )


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0]
