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
