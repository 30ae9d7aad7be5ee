"""Backups in S3, for commands."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from ptolemy.cli.failures import wrong_usage
from ptolemy.cli.logs import configure_logs
from ptolemy.client.errors import PtolemyError
from ptolemy.files.opening import LONG, open_store
from ptolemy.files.store import FileStore, cause_of, checked
from ptolemy.kernel.problems import NotFound, Problem

_SCHEME = "s3://"


def is_remote(place: str) -> bool:
    return place.startswith(_SCHEME)


@dataclass(frozen=True)
class Remote:
    """One ZIP in a bucket."""

    url: str
    name: str
    files: FileStore

    @classmethod
    def at(cls, url: str) -> Remote:
        folder, _, name = url.rpartition("/")
        if not name.endswith(".zip") or len(folder) <= len(_SCHEME):
            wrong_usage(f"in S3 a backup is a ZIP, like s3://bucket/backups/acme.zip, got {url!r}")
        try:
            checked(name)
        except ValueError:
            wrong_usage(f"name it with lower-case letters, digits, dots, hyphens and underscores, got {name!r}")
        configure_logs("error")
        try:
            return cls(url, name, open_store(folder, LONG))
        except Problem as problem:
            raise PtolemyError(problem.detail) from problem

    def refuse_existing(self) -> None:
        """Asked first, so that also a store that can't be reached is told before the backup is taken."""
        try:
            asyncio.run(self.files.size(self.name))
        except NotFound:
            self.refuse_missing_bucket()
            return
        except Problem as problem:
            raise PtolemyError(f"{self.url}: {_said(problem)}") from problem
        raise PtolemyError(f"{self.url} is there already: name another, or say --overwrite")

    def refuse_missing_bucket(self) -> None:
        """A file that isn't there and a bucket that isn't look the same until the bucket is asked."""
        try:
            asyncio.run(self.files.check())
        except Problem as problem:
            raise PtolemyError(f"{self.url}: {_said(problem)}") from problem

    def store(self, path: Path, sha256: str) -> None:
        """Sends the file, and reads it back: only what the store answers counts as stored."""
        try:
            asyncio.run(self.files.put(self.name, path))
            stored = asyncio.run(self._sha256())
        except Problem as problem:
            raise PtolemyError(_said(problem)) from problem
        if stored != sha256:
            raise PtolemyError("what the store gives back isn't what was sent")

    async def _sha256(self) -> str:
        digest = hashlib.sha256()
        async for block in self.files.read(self.name):
            digest.update(block)
        return digest.hexdigest()

    async def _copy(self, path: Path) -> None:
        with path.open("wb") as file:
            async for block in self.files.read(self.name):
                file.write(block)

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The file, brought here for as long as the block lasts."""
        with TemporaryDirectory(prefix="ptolemy-restore-") as folder:
            path = Path(folder) / self.name
            try:
                asyncio.run(self._copy(path))
            except NotFound:
                self.refuse_missing_bucket()
                raise PtolemyError(f"there is no {self.url}") from None
            except Problem as problem:
                raise PtolemyError(f"{self.url}: {_said(problem)}") from problem
            yield path


def _said(problem: Problem) -> str:
    """What is wrong, and what the store itself says of it: whoever runs a command reads no log of a server."""
    cause = cause_of(problem)
    return f"{problem.detail}: {cause}" if cause else problem.detail


@contextmanager
def kept_until_stored(remote: Remote) -> Iterator[Path]:
    """Where a backup lies on its way; where it doesn't arrive it stays, and the error says where."""
    folder = Path(mkdtemp(prefix="ptolemy-backup-"))
    path = folder / remote.name
    try:
        yield path
    except BaseException as error:
        if not path.exists():
            shutil.rmtree(folder)
            raise
        if isinstance(error, PtolemyError):
            raise PtolemyError(
                f"{remote.url} is not stored; the backup is whole, and kept at {path}: {error}"
            ) from error
        raise
    shutil.rmtree(folder)
