"""An archive of ours byte by byte: its manifest says where everything must lie, and every other byte follows from it.

So the smallest change is found, wherever it is, and what is whole can be read although the archive's own records are
not.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ptolemy.backups.archive.findings import Finding
from ptolemy.formats.archive import Entry, directory, entry_of, local_header, manifest_entry
from ptolemy.formats.archive_reader import BROKEN, opened_zip
from ptolemy.formats.manifest import MANIFEST, Manifest, decode_manifest
from ptolemy.formats.rows import UnreadableFile

_TAIL_BYTES = 128 << 20
_AT_ONCE = 1 << 20
_ALL_ROWS = "all of it: every row can be read"
_HEADER = re.compile(rb"PK\x03\x04.{26}" + re.escape(MANIFEST.encode()), re.DOTALL)


class Layout(NamedTuple):
    manifest: Manifest
    offsets: dict[str, int]
    """Where the compressed bytes of each file begin."""
    findings: list[Finding]


def layout(path: Path) -> Layout | None:
    """What lies where, and what is wrong around the files; None where the manifest itself can't be relied on."""
    with path.open("rb") as file:
        for start, content in _manifests(file):
            try:
                manifest = decode_manifest(content)
            except UnreadableFile as problem:
                if problem.code == "unknown_format_version":
                    raise
                continue
            return _held_against(path, file, start, content, manifest)
    return None


def whole_files(path: Path) -> list[str]:
    """The files that are whole by the archive's own checksums, where there is no manifest to go by."""
    try:
        with path.open("rb") as file, opened_zip(file) as zipped:
            members = [info for info in zipped.infolist() if info.filename != MANIFEST]
            return [info.filename for info in members if _is_whole(zipped, info)]
    except BROKEN:
        with path.open("rb") as file:
            return [name for name, whole in _walked(file) if whole and name != MANIFEST]


def _held_against(path: Path, file: BinaryIO, start: int, content: bytes, manifest: Manifest) -> Layout | None:
    last = manifest_entry(content)
    entries = [*map(entry_of, manifest.files), last]
    findings, offsets, offset = list[Finding](), dict[str, int](), 0
    for entry in entries:
        header = local_header(entry)
        here = start if entry is last else offset
        if _at(file, here, len(header)) != header:
            findings.append(_finding(entry.name, "its header in the archive is damaged", _ALL_ROWS))
        offsets[entry.name] = offset + len(header)
        offset += len(header) + entry.packed_bytes
    if start != offset - last.packed_bytes - len(local_header(last)):
        findings.append(_finding(MANIFEST, "bytes before it were added or are missing", "what is found to be whole"))
    position, wrong = start + len(local_header(last)) + len(content), list[Finding]()
    for name, record in directory(entries):
        if _at(file, position, len(record)) != record:
            said = "its record in the archive's directory is damaged" if name else "the end of the archive is damaged"
            wrong.append(_finding(name or path.name, said, _ALL_ROWS))
        position += len(record)
    if _at(file, position, 1):
        wrong.append(_finding(path.name, "something follows the end of the archive", _ALL_ROWS))
    if {MANIFEST} <= {each.file for each in findings} & {each.file for each in wrong}:
        return None  # both say that its content is another: so it is
    return Layout(manifest, offsets, findings + wrong)


def _manifests(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Where the manifest may lie, with its content: by the directory, and by what it looks like."""
    size = file.seek(0, 2)
    starts = []
    try:
        starts.append(opened_zip(file).getinfo(MANIFEST).header_offset)
    except (KeyError, *BROKEN):
        pass
    tail_start = max(0, size - _TAIL_BYTES)
    starts += [tail_start + found.start() for found in _HEADER.finditer(_at(file, tail_start, _TAIL_BYTES))][::-1]
    for start in dict.fromkeys(starts):
        text = _at(file, start + len(local_header(Entry(MANIFEST, 0, 0, 0, 0))), _TAIL_BYTES).decode("latin-1")
        try:
            _, end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            continue
        yield start, text[: end + 1].encode("latin-1")


def _walked(file: BinaryIO) -> Iterator[tuple[str, bool]]:
    """File after file from the start, for as long as their headers can be read, and whether each is whole."""
    position = 0
    while len(head := _at(file, position, 30)) == 30 and head.startswith(b"PK\x03\x04"):
        length = int.from_bytes(head[26:28], "little")
        name, sizes = _at(file, position + 30, length), _at(file, position + 30 + length, 20)
        packed_bytes = int.from_bytes(sizes[12:20], "little")
        start = position + 30 + length + 20
        file.seek(start)
        yield name.decode("ascii", "replace"), _inflates(file, packed_bytes, int.from_bytes(head[14:18], "little"))
        position = start + packed_bytes


def _inflates(file: BinaryIO, packed_bytes: int, crc32: int) -> bool:
    """Whether what comes next in the file is that content; in bounded memory, whatever it unfolds to."""
    inflate, found = zlib.decompressobj(-zlib.MAX_WBITS), 0
    try:
        while packed_bytes > 0 and (packed := file.read(min(packed_bytes, _AT_ONCE))):
            packed_bytes -= len(packed)
            while packed or inflate.unconsumed_tail:
                content = inflate.decompress(packed or inflate.unconsumed_tail, _AT_ONCE)
                found, packed = zlib.crc32(content, found), b""
                if not content:
                    break
    except zlib.error:
        return False
    return inflate.eof and found == crc32


def _is_whole(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    try:
        with zipped.open(info) as content:
            while content.read(1 << 20):
                pass
    except BROKEN:
        return False
    return True


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    # A damaged record may lead anywhere.
    if position < 0:
        return b""
    file.seek(position)
    return file.read(size)


def _finding(file: str, message: str, restorable: str) -> Finding:
    return Finding(file, "damaged", message, restorable)
