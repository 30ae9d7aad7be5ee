"""Rows of text, one below the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def columns(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines with each column as wide as it has to be; numbers to the right, and nothing is cut off."""
    table = [list(headings), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(headings))]
    numeric = [all(_is_number(row[at]) for row in table[1:]) for at in range(len(headings))]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in table
    ]


def _shown(cell: Any) -> str:
    """A number of files has thousands told apart; text of others keeps to its line."""
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else " ".join(str(cell).split())


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(",", "").isdigit()
