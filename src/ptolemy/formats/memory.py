"""The memory that large files have used."""

from __future__ import annotations

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Gives back to the system what is kept for the next file: a server rests most of the day."""
    pa.default_memory_pool().release_unused()
    # Of glibc alone; other allocators keep less.
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
