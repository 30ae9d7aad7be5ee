"""What is wrong with a row of a file, as its user is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ptolemy.formats.rows import FileRow
from ptolemy.kernel.problems import Conflict, FieldError, Invalid, Problem

_MOST_OF_A_ROW = 100


class RowError(NamedTuple):
    """One thing wrong with one row. `row` counts from 1; `line` is where it begins in a CSV file."""

    row: int
    line: int | None
    field: str | None
    code: str
    message: str


def row_errors(row: FileRow, problem: Problem) -> list[RowError]:
    """A refused write as errors of its row; whatever another record stands in the way of is a `conflict`."""
    if isinstance(problem, Invalid):
        return [RowError(row.number, row.line, e.field or None, e.code, e.message) for e in bounded(problem.errors)]
    code = "conflict" if isinstance(problem, Conflict) and problem.code in ("duplicate", "overlap") else problem.code
    field_name = problem.errors[-1].field if problem.errors else None
    return [RowError(row.number, row.line, field_name, code, problem.detail)]


def bounded(errors: Sequence[FieldError]) -> Sequence[FieldError]:
    """The first hundred errors of a row, and how many more there are: a row of a bad file may have a million keys."""
    more = len(errors) - _MOST_OF_A_ROW
    if more <= 0:
        return errors
    return [*errors[:_MOST_OF_A_ROW], FieldError("", "more_errors", f"and {more:,} more errors in this row")]
