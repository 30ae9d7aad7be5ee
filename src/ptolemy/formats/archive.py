"""A ZIP archive (PKWARE APPNOTE 6.3) of JSON files in which every byte follows from the content.

Each file is deflated in blocks of whole lines that can be inflated by themselves, so damage costs its block alone. The
manifest comes last, as plain JSON. Nothing holds a time: equal files give equal archives.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from ptolemy.formats.manifest import MANIFEST, Block, PackedFile
from ptolemy.formats.unfolding import HONEST_RATIO

BLOCK_BYTES = 1 << 20
_LEVEL = 6
_STORED, _DEFLATED = 0, 8
_NEEDS_ZIP64 = 45
_UNIX_FILE = 0o100644 << 16
_NO_DATE = 0x0021  # 1980-01-01, the earliest there is
_IN_ZIP64 = 0xFFFFFFFF
_ROW = re.compile(rb"^\{", re.MULTILINE)

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


class Entry(NamedTuple):
    """One file as the archive's own records tell of it."""

    name: str
    method: int
    crc32: int
    packed_bytes: int
    bytes: int


def entry_of(file: PackedFile) -> Entry:
    return Entry(file.name, _DEFLATED, file.crc32, file.packed_bytes, file.bytes)


def manifest_entry(content: bytes) -> Entry:
    return Entry(MANIFEST, _STORED, zlib.crc32(content), len(content), len(content))


def local_header(entry: Entry) -> bytes:
    """What stands before the content of a file; of the same length whatever its size."""
    sizes = struct.pack("<HHQQ", 1, 16, entry.bytes, entry.packed_bytes)
    fixed = struct.pack(
        "<4sHHHHHIIIHH",
        LOCAL,
        _NEEDS_ZIP64,
        0,
        entry.method,
        0,
        _NO_DATE,
        entry.crc32,
        _IN_ZIP64,
        _IN_ZIP64,
        len(entry.name),
        len(sizes),
    )
    return fixed + entry.name.encode() + sizes


def directory(entries: Sequence[Entry]) -> list[tuple[str, bytes]]:
    """What stands behind all files: a record of each, by its name, and the end of the archive, without one."""
    records, offset = [], 0
    for entry in entries:
        records.append((entry.name, _central_record(entry, offset)))
        offset += len(local_header(entry)) + entry.packed_bytes
    size, count = sum(len(record) for _, record in records), len(records)
    end = b""
    if offset >= _IN_ZIP64:
        end = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 0x0300 | 45, 45, 0, 0, count, count, size, offset)
        end += struct.pack("<4sIQI", b"PK\x06\x07", 0, offset + size, 1)
    end += struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, size, min(offset, _IN_ZIP64), 0)
    return [*records, ("", end)]


def _central_record(entry: Entry, offset: int) -> bytes:
    large = [number for number in (entry.bytes, entry.packed_bytes, offset) if number >= _IN_ZIP64]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    fixed = struct.pack(
        "<4sHHHHHHIIIHHHHHII",
        CENTRAL,
        0x0300 | _NEEDS_ZIP64,
        _NEEDS_ZIP64,
        0,
        entry.method,
        0,
        _NO_DATE,
        entry.crc32,
        min(entry.packed_bytes, _IN_ZIP64),
        min(entry.bytes, _IN_ZIP64),
        len(entry.name),
        len(extra),
        0,
        0,
        0,
        _UNIX_FILE,
        min(offset, _IN_ZIP64),
    )
    return fixed + entry.name.encode() + extra


class ArchiveWriter:
    """Writes one archive from where `out` stands, its start; `out` can be sought in. `end` completes it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.files: list[PackedFile] = []

    @contextmanager
    def file(self, name: str, resource: str) -> Iterator[FileWriter]:
        """One more file; it is complete when the block ends."""
        start = self._out.tell()
        self._out.write(local_header(Entry(name, _DEFLATED, 0, 0, 0)))
        writer = FileWriter(self._out)
        yield writer
        file = writer.end(name, resource)
        # The header stands before what it tells of.
        self._out.seek(start)
        self._out.write(local_header(entry_of(file)))
        self._out.seek(0, 2)
        self.files.append(file)

    def end(self, manifest: bytes) -> None:
        """Adds the manifest and the directory."""
        last = manifest_entry(manifest)
        self._out.write(local_header(last) + manifest)
        for _, record in directory([*map(entry_of, self.files), last]):
            self._out.write(record)


class FileWriter:
    """One JSON array, a row a line, on its way into the archive: blocks are cut by its content alone."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._pending = out, bytearray()
        self._blocks: list[Block] = []
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._sha256, self._packed_sha256, self._crc32 = hashlib.sha256(), hashlib.sha256(), 0
        self._bytes, self._packed_bytes = 0, 0

    def write(self, content: bytes | memoryview) -> int:
        self._pending += content
        while (cut := self._pending.find(b"\n", BLOCK_BYTES - 1) + 1) > 0:
            self._add(bytes(self._pending[:cut]), zlib.Z_FULL_FLUSH)
            del self._pending[:cut]
        return len(content)

    def end(self, name: str, resource: str) -> PackedFile:
        self._add(bytes(self._pending), zlib.Z_FINISH)
        return PackedFile(
            name,
            resource,
            sum(block.rows for block in self._blocks),
            self._bytes,
            self._sha256.hexdigest(),
            self._packed_bytes,
            self._packed_sha256.hexdigest(),
            self._crc32,
            self._blocks,
        )

    def _add(self, content: bytes, flush: int) -> None:
        # After a full flush nothing refers to what lies before it.
        packed = self._deflate.compress(content) + self._deflate.flush(flush)
        self._bytes += len(content)
        if self._bytes > HONEST_RATIO * (self._packed_bytes + len(packed)):
            # Who unfolds further is taken for a bomb when it is restored. One block as it is makes up for a hundred.
            packed = _stored(content, flush)
        self._packed_bytes += len(packed)
        self._out.write(packed)
        self._sha256.update(content)
        self._packed_sha256.update(packed)
        self._crc32 = zlib.crc32(content, self._crc32)
        digest = hashlib.sha256(content).hexdigest()
        self._blocks.append(Block(len(_ROW.findall(content)), len(content), len(packed), digest))


def _stored(content: bytes, flush: int) -> bytes:
    """The content uncompressed, as a deflate stream has it."""
    deflate = zlib.compressobj(zlib.Z_NO_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush(flush)


def inflate_block(packed: bytes, size: int) -> bytes | None:
    """The content of one block, or None where it can't be inflated to its size."""
    try:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    except zlib.error:
        return None
    return content if len(content) == size else None
