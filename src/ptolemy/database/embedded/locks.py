"""Locks on files of the data directory (flock): the kernel frees them when a process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ptolemy.database.embedded.children import EmbeddedProblem, user_name


def opened(path: Path) -> TextIO:
    """The file behind a lock; closing it frees the lock unless a child still has it open."""
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+")
    except PermissionError:
        holder = user_name((path if path.exists() else path.parent).stat().st_uid)
        raise EmbeddedProblem(
            f"{path.parent} is {holder}'s: run ptolemy as {holder}, or choose another data directory (PTOLEMY_DATA_DIR)"
        ) from None
    except OSError as refusal:
        raise EmbeddedProblem(f"{path} can't be written ({refusal.strerror}): choose another data directory") from None


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process at a time is inside; the others wait."""
    with opened(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def joined(path: Path) -> TextIO:
    """Held together with others; `taken` tells the last one."""
    lock = opened(path)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def taken(lock: TextIO, within_seconds: float = 0) -> bool:
    """Whether we got it for ourselves in time."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True
