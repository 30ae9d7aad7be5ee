"""What every reader yields, and what it raises when a file can't be read on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ptolemy.kernel.problems import BadRequest, FieldError

MAX_ROW_BYTES = 16 << 20
"""A longer row is taken for a broken file: an unclosed quote or bracket would swallow all that follows."""


UNLIMITED = 1 << 62


class UnreadableFile(BadRequest):
    """No row can be read from here on; the detail says where and what to do."""


class FileRow(NamedTuple):
    """One row: `number` counts from 1, `line` is where it begins in the text (None for JSON).

    A row with a `fault` has no values; the rows after it can still be read.
    """

    number: int
    line: int | None
    values: Mapping[str, Any]
    fault: FieldError | None = None


class Portion:
    """How much of a file to read at once: `size` bytes, or as many as hold some 30,000 rows, however long those are."""

    _ROWS, _LEAST, _MOST = 30_000, 1 << 20, 8 << 20

    def __init__(self, size: int | None) -> None:
        self._fixed, self.bytes = size is not None, size or self._LEAST

    def learn(self, rows: int, size: int) -> None:
        """That many rows took so many bytes."""
        if not self._fixed and rows:
            self.bytes = min(max(size * self._ROWS // rows, self._LEAST), self._MOST)
