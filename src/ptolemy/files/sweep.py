"""What lies in the file store and belongs to nothing: whoever put it there was killed before it could say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta

from ptolemy.files.store import FileStore

OLD = timedelta(days=1)
"""A younger file may belong to something that is only about to be told."""

_AT_ONCE = 1000


async def sweep(files: FileStore, folder: str, wanted: Callable[[Collection[str]], Awaitable[set[str]]]) -> None:
    """Removes the old files of the folder that aren't among the `wanted` ones of their keys."""
    before = datetime.now(UTC) - OLD
    # Listed first, asked about then: a file that is wanted by now was listed in vain, never the other way round.
    old = [found.key async for found in files.files(folder) if found.changed_at < before]
    for start in range(0, len(old), _AT_ONCE):
        keys = old[start : start + _AT_ONCE]
        for key in set(keys) - await wanted(keys):
            await files.delete(key)
