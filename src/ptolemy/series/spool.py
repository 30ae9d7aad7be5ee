"""Answers that may be large: kept beside memory until the database is let go of, then read in parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

_IN_MEMORY_BYTES = 1 << 20
_PART_BYTES = 1 << 18


class Spool:
    """Texts and files, one after the other, that go when they were read, or when `close` is called.

    A client reads as slowly as it likes: it holds a file of ours then, and no connection of the database.
    """

    def __init__(self) -> None:
        self._parts: list[bytes | BinaryIO] = []
        self._files = ExitStack()

    def file(self) -> BinaryIO:
        """A new file, which ends with the spool; small ones stay in memory."""
        made = self._files.enter_context(SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115 - the spool closes it
        return cast(BinaryIO, made)  # it lacks nothing of one

    def add(self, part: bytes | BinaryIO) -> None:
        """What comes next in the answer."""
        self._parts.append(part)

    @property
    def size_bytes(self) -> int:
        return sum(len(part) if isinstance(part, bytes) else part.seek(0, 2) for part in self._parts)

    async def read(self) -> AsyncIterator[bytes]:
        try:
            for part in self._parts:
                if isinstance(part, bytes):
                    yield part
                    continue
                part.seek(0)
                while content := await asyncio.to_thread(part.read, _PART_BYTES):
                    yield content
        finally:
            self.close()

    def content(self) -> bytes:
        """All of it at once, for small answers."""
        found = b"".join(part if isinstance(part, bytes) else _whole(part) for part in self._parts)
        self.close()
        return found

    def close(self) -> None:
        self._files.close()


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()
