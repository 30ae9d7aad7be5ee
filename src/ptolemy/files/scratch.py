"""Folders for work in progress, in this machine's temporary directory; what a killed process leaves is swept."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

PREFIX = "ptolemy-"
_LEFT_SECONDS = 24 * 3600
_PURPOSES = ("export", "import", "rehearsal")


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """A folder of one's own, for as long as the block lasts."""
    if purpose not in _PURPOSES:
        raise ValueError(f"the sweep doesn't know {purpose!r}")
    with TemporaryDirectory(prefix=f"{PREFIX}{purpose}-") as folder:
        yield Path(folder)


async def sweep_scratch() -> None:
    """Removes the folders in which nothing was written for a day."""
    await asyncio.to_thread(_sweep, Path(tempfile.gettempdir()), time.time() - _LEFT_SECONDS)


def _sweep(directory: Path, before: float) -> None:
    for purpose in _PURPOSES:
        for folder in directory.glob(f"{PREFIX}{purpose}-*"):
            with suppress(FileNotFoundError):
                if folder.is_dir() and folder.stat().st_uid == os.geteuid() and _last_written(folder) < before:
                    shutil.rmtree(folder, ignore_errors=True)


def _last_written(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
