"""Reading an archive of JSON files, also one that was packed anew; its manifest is checked before anything is used."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from ptolemy.formats.archive import LOCAL
from ptolemy.formats.manifest import MANIFEST, Manifest, PackedFile, decode_manifest
from ptolemy.formats.rows import UnreadableFile
from ptolemy.formats.unfolding import unfolds_too_far

_MANIFEST_BYTES = 64 << 20
_AT_ONCE = 1 << 20
_DIRECTORY_BYTES = 1 << 20
"""The records of some dozens of files take a few kilobytes; a million of them would fill the memory."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of these alone the library unpacks no more at once than it is asked for."""
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
"""What the library raises over bytes that are no archive, or were one."""


class Archive:
    """An open archive. `check` first: nothing in it is believed before."""

    def __init__(self, zipped: zipfile.ZipFile, manifest: Manifest) -> None:
        self._zipped, self.manifest = zipped, manifest

    @property
    def names(self) -> set[str]:
        """The files that it holds, whatever the manifest says."""
        return set(self._zipped.namelist())

    def check(self, limit_bytes: int) -> None:
        """Reads all of it, in bounded memory. `UnreadableFile` names the file that isn't what the manifest says."""
        if sum(file.bytes for file in self.manifest.files) > limit_bytes:
            raise unfolds_too_far("backup", limit_bytes)
        names = [file.name for file in self.manifest.files]
        held = [name for name in self._zipped.namelist() if name != MANIFEST]
        if missing := sorted(set(names) - set(held)):
            raise UnreadableFile("incomplete_archive", f"the backup lacks {', '.join(missing)}")
        if len(set(names)) != len(names) or len(set(held)) != len(held) or set(held) != set(names):
            strange = sorted(name for name in held if name not in names) or ["a file twice"]
            raise UnreadableFile(
                "damaged_archive", f"the backup holds what its manifest doesn't know: {', '.join(strange)}"
            )
        for file in self.manifest.files:
            self._check(file)

    def open(self, file: PackedFile) -> BinaryIO:
        """The content of one file, never more than its manifest says."""
        return io.BufferedReader(_Bounded(self._zipped.open(file.name), file), buffer_size=_AT_ONCE)

    def _check(self, file: PackedFile) -> None:
        digest, size = hashlib.sha256(), 0
        with self.open(file) as content:
            while chunk := content.read(_AT_ONCE):
                digest.update(chunk)
                size += len(chunk)
        if size != file.bytes or digest.hexdigest() != file.sha256:
            raise UnreadableFile(
                "damaged_archive",
                f"{file.name} is not what the manifest says: run `ptolemy verify` to see which rows are hit",
            )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Raises `UnreadableFile` for what is no backup of a workspace."""
    with path.open("rb") as file:
        if file.read(len(LOCAL)) != LOCAL:
            raise UnreadableFile("unknown_format", "the file must be the ZIP that the export of a workspace makes")
        file.seek(0)
        try:
            zipped = opened_zip(file)
            with zipped.open(MANIFEST) as said:
                manifest = decode_manifest(_up_to(said, _MANIFEST_BYTES))
        except KeyError:
            raise UnreadableFile("unknown_format", f"the ZIP has no {MANIFEST}: it is no workspace's backup") from None
        except BROKEN as error:
            raise UnreadableFile("damaged_archive", f"the ZIP is cut or damaged: {error}") from None
        yield Archive(zipped, manifest)


def opened_zip(file: BinaryIO) -> zipfile.ZipFile:
    """Any ZIP that can be read in bounded memory; raises one of `BROKEN` for what is none."""
    zipped = zipfile.ZipFile(cast(BinaryIO, _Sparing(file)))
    if strange := [info.filename for info in zipped.infolist() if info.compress_type not in _METHODS]:
        raise zipfile.BadZipFile(f"{strange[0]} is compressed in another way than ZIP's own (deflate)")
    return zipped


def _up_to(source: IO[bytes], size: int) -> bytes:
    content = bytearray()
    while len(content) < size and (chunk := source.read(min(_AT_ONCE, size - len(content)))):
        content += chunk
    return bytes(content)


class _Sparing:
    """A file of which nobody gets much at once, whatever a ZIP says about the size of its directory."""

    def __init__(self, file: BinaryIO) -> None:
        self.read_within, self.seek, self.tell, self.seekable = file.read, file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its directory is larger than that of any backup")
        return self.read_within(size)

    def close(self) -> None:
        """Whoever has opened the file closes it."""


class _Bounded(io.RawIOBase):
    """Fails on the first byte too many, and says which file is broken where the library says only how."""

    def __init__(self, source: IO[bytes], file: PackedFile) -> None:
        super().__init__()
        self._source, self._file, self._left = source, file, file.bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(cast(bytearray, buffer))
        try:
            content = self._source.read(min(len(target), self._left + 1, _AT_ONCE))
        except BROKEN:
            raise UnreadableFile("damaged_archive", f"{self._file.name} is damaged: it can't be unpacked") from None
        self._left -= len(content)
        if self._left < 0:
            raise UnreadableFile("damaged_archive", f"{self._file.name} is larger than the manifest says")
        target[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()
