"""The files of a backup, however it is kept: their rows, block by block, and what is wrong with the blocks."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ptolemy.backups.archive.cells import CellReader
from ptolemy.backups.archive.findings import Finding
from ptolemy.formats.archive import inflate_block
from ptolemy.formats.archive_reader import BROKEN
from ptolemy.formats.detection import detect, open_plain
from ptolemy.formats.manifest import Block, PackedFile
from ptolemy.formats.reading import read_rows
from ptolemy.formats.rows import UnreadableFile
from ptolemy.kernel.json import decode_exact
from ptolemy.kernel.problems import Problem

_AT_ONCE = 1000
_LIMIT_BYTES = 1 << 50


@dataclass(frozen=True)
class Rows:
    """Some rows in order; `first` is the number of the first. Without `found` they are damaged."""

    first: int
    count: int
    found: list[dict[str, Any]] | None


@dataclass
class BackupFile:
    """One file. `rows` may be read more than once; `findings` is complete after the first time."""

    name: str
    resource: str
    read: Callable[[BackupFile], Iterator[Rows]]
    packed: PackedFile | None = None
    cells: bool = False
    """Its values were cells, which tell less than JSON: see `told_by_cells`."""
    findings: list[Finding] = field(default_factory=list)
    _told: bool = False

    def rows(self) -> Iterator[Rows]:
        yield from self.read(self)
        self._told = True

    def tell(self, finding: Finding) -> None:
        if not self._told:
            self.findings.append(finding)

    def damaged(self, rows: tuple[int, int] | None, message: str, restorable: str) -> None:
        self.tell(Finding(self.name, "damaged", message, restorable, self.resource, rows))


def in_archive(path: Path, file: PackedFile, offset: int, share: float) -> BackupFile:
    """A file in an archive of ours, whose compressed bytes lie at `offset`; `share` of its blocks are looked at."""

    def read(backup: BackupFile) -> Iterator[Rows]:
        chosen, digest = _chosen(file, share), hashlib.sha256()
        hit = False
        with path.open("rb") as source:
            source.seek(offset)
            for number, (block, first) in enumerate(_numbered(file.blocks)):
                if number not in chosen:
                    source.seek(block.packed_bytes, 1)
                    continue
                packed = source.read(block.packed_bytes)
                digest.update(packed)
                rows = _rows(backup, block, first, inflate_block(packed, block.bytes))
                hit = hit or rows.found is None
                yield rows
        if len(chosen) == len(file.blocks) and not hit and digest.hexdigest() != file.packed_sha256:
            backup.damaged(
                None, "its compressed bytes are not those that were written", "all of it: every row is whole"
            )

    return BackupFile(file.name, file.resource, read, file)


def with_blocks(file: PackedFile, opened: Callable[[], BinaryIO], share: float) -> BackupFile:
    """A file that the manifest speaks of, unpacked or packed by another program."""

    def read(backup: BackupFile) -> Iterator[Rows]:
        chosen = _chosen(file, share)
        with opened() as source:
            for number, (block, first) in enumerate(_numbered(file.blocks)):
                content = _read(source, block.bytes)
                if number in chosen:
                    yield _rows(backup, block, first, content)
            if _read(source, 1):
                backup.damaged(None, "it goes on behind its last row", "all that the manifest speaks of")

    return BackupFile(file.name, file.resource, read, file)


def alone(path: Path, resource: str) -> BackupFile:
    """An exported file by itself, in any format, with gzip or without. Nothing says what it should be."""

    def read(backup: BackupFile) -> Iterator[Rows]:
        first, found = 1, list[dict[str, Any]]()
        try:
            detected = detect(path)
            cells = CellReader(resource, guarded=detected.format == "csv")
            with closing(open_plain(path, detected, limit_bytes=_LIMIT_BYTES)) as source:
                for row in read_rows(source, detected.format, _LIMIT_BYTES).rows:
                    if row.fault:
                        backup.damaged((row.number, row.number), row.fault.message, "the other rows")
                    found.append(cells.read(row.values) if backup.cells else dict(row.values))
                    if len(found) == _AT_ONCE:
                        yield Rows(first, len(found), found)
                        first, found = first + len(found), []
        except (Problem, UnreadableFile) as problem:
            last = first + len(found) - 1
            backup.damaged((last + 1, last + 1), problem.detail, f"the {last} rows before it")
        if found:
            yield Rows(first, len(found), found)

    return BackupFile(path.name, resource, read, cells=_has_cells(path))


def _has_cells(path: Path) -> bool:
    try:
        return detect(path).format in ("csv", "parquet")
    except (Problem, UnreadableFile):
        return False  # told as it is read


def _rows(backup: BackupFile, block: Block, first: int, content: bytes | None) -> Rows:
    last = first + block.rows - 1
    where = (first, last) if block.rows else None
    if content is None or hashlib.sha256(content).hexdigest() != block.sha256:
        said = f"rows {first} to {last} are damaged" if where else "its end is damaged"
        backup.damaged(where, said, "all rows but these" if where else "every row")
        return Rows(first, block.rows, None)
    try:
        found = decode_exact(b"[" + content.strip(b"[]\n,") + b"]")
    except msgspec.DecodeError as error:
        found = str(error)
    if isinstance(found, list) and len(found) == block.rows and all(isinstance(row, dict) for row in found):
        return Rows(first, block.rows, found)
    backup.damaged(where, "the rows can't be read as JSON, one a line", "all rows but these")
    return Rows(first, block.rows, None)


def _numbered(blocks: list[Block]) -> Iterator[tuple[Block, int]]:
    """Each block with the number of its first row."""
    first = 1
    for block in blocks:
        yield block, first
        first += block.rows


def _chosen(file: PackedFile, share: float) -> set[int]:
    """Which blocks to look at: at random, so that many looks see all."""
    count = len(file.blocks)
    number = min(count, max(1, round(count * share)))
    return set(random.sample(range(count), number))


def _read(source: BinaryIO, size: int) -> bytes:
    try:
        return source.read(size)
    except (Problem, *BROKEN):
        return b""
