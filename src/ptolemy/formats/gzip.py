"""The gzip layer (RFC 1952): the same bytes for the same content, and a limit against files that explode."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from ptolemy.formats.rows import UnreadableFile
from ptolemy.formats.unfolding import unfolds_too_far

MAGIC = b"\x1f\x8b"


def deflate(out: BinaryIO) -> BinaryIO:
    """Compresses what is written to it into `out`, which stays open; close it to end the stream."""
    # No name and no time in the header: equal content gives equal files.
    return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=out, mtime=0))


def inflate(source: BinaryIO, *, limit_bytes: int) -> BinaryIO:
    """The content of a gzip file; `TooLarge` as soon as it exceeds `limit_bytes`. Closes `source` with itself."""
    return io.BufferedReader(_Inflated(source, limit_bytes), buffer_size=256 << 10)


def prove(path: Path, *, limit_bytes: int) -> None:
    """Reads all of it and keeps nothing: what is cut, damaged or too large is told before any of it is used."""
    with path.open("rb") as file, inflate(file, limit_bytes=limit_bytes) as content:
        while content.read(1 << 20):
            pass


class _Inflated(io.RawIOBase):
    def __init__(self, source: BinaryIO, limit_bytes: int) -> None:
        super().__init__()
        self._source, self._limit, self._read = source, limit_bytes, 0
        self._plain = gzip.GzipFile(fileobj=source, mode="rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(cast(bytearray, buffer))
        # One byte more than allowed is asked for, so that a file of exactly the limit passes.
        allowed = self._limit - self._read + 1
        try:
            content = self._plain.read(min(len(target), allowed))
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise UnreadableFile(
                "damaged_gzip", f"the gzip file is cut or damaged after {self._read:,} bytes of content: send it again"
            ) from None
        self._read += len(content)
        if self._read > self._limit:
            raise unfolds_too_far("file", self._limit, "split it", "send it without gzip")
        target[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._plain.close()
            self._source.close()
        super().close()
