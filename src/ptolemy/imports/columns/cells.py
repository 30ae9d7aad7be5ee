"""Cells of text as instants and decimals: by columns where they are plain, by distinct cell where they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ptolemy.imports.columns.binary import EPOCH, Numbers
from ptolemy.kernel.decimals import MAX_DIGITS, parse_decimal, write_decimal
from ptolemy.kernel.timestamps import parse_timestamp, write_timestamp

Faults = Mapping[int, str]
"""Why a cell is refused, by its place in the column."""

_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_INSTANT = rf"^{_DAY}[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{{1,6}})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
_DATE = rf"^{_DAY}$"
_DATE_OR_INSTANT = f"{_DATE}|{_INSTANT}"
_ZERO = "2000-01-01T00:00:00Z"
_DECIMAL = rf"^-?\d{{1,{MAX_DIGITS}}}(\.\d{{1,{MAX_DIGITS}}})?$"
_YEAR_1, _YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000


def instants(cells: pa.Array[Any]) -> tuple[Numbers, Faults]:
    """Microseconds since 2000; 0 where the cell is null or refused."""
    # Many rows share an instant: each is looked at once.
    encoded = cells.dictionary_encode()
    found, refused = _each_instant(encoded.dictionary)
    at = encoded.indices.fill_null(len(found)).to_numpy()
    return np.append(found, 0)[at], _by_place(at, refused)


def _each_instant(cells: pa.Array[Any]) -> tuple[Numbers, Faults]:
    usual, faults = _usual(cells, _DATE_OR_INSTANT, _canonical_instant, _ZERO)
    try:
        return _unix(usual) - EPOCH, faults
    except pa.ArrowInvalid:
        # A day that its month lacks, or the year 0, has the usual form too.
        canonical, faults = _by_distinct_cell(cells, _canonical_instant)
        return _unix(canonical.fill_null(_ZERO)) - EPOCH, faults


def decimals(cells: pa.Array[Any]) -> tuple[pa.Array[Any], Faults]:
    """The cells as plain digits with their scale kept; `0` where the cell is null or refused."""
    return _usual(cells.fill_null("0"), _DECIMAL, lambda cell: write_decimal(parse_decimal(cell)), "0")


def _canonical_instant(cell: str) -> str:
    return write_timestamp(parse_timestamp(cell))


def _usual(
    cells: pa.Array[Any], form: str, canonical: Callable[[str], str], refused: str
) -> tuple[pa.Array[Any], Faults]:
    """The cells, those that aren't of the usual form being canonical, or `refused`."""
    odd = pc.invert(pc.match_substring_regex(cells, form))
    if not pc.any(odd, min_count=0).as_py():
        return cells, {}
    found, faults = _by_distinct_cell(cells.filter(odd), canonical)
    places = np.flatnonzero(odd)
    return pc.replace_with_mask(cells, odd, found.fill_null(refused)), {
        int(places[i]): reason for i, reason in faults.items()
    }


def _unix(cells: pa.Array[Any]) -> Numbers:
    """Of dates, and instants in the usual form; raises `ArrowInvalid` where there is no such day."""
    dates = pc.match_substring_regex(cells, _DATE)
    if pc.any(dates).as_py():
        cells = pc.if_else(dates, pc.binary_join_element_wise(cells, "T00:00:00Z", ""), cells)
    found = pc.cast(pc.cast(cells, pa.timestamp("us", "UTC")), pa.int64()).to_numpy()
    if len(found) and (found.min() < _YEAR_1 or found.max() >= _YEAR_10000):
        raise pa.ArrowInvalid("not between the years 1 and 9999")
    return np.asarray(found)


def _by_distinct_cell(cells: pa.Array[Any], canonical: Callable[[str], str]) -> tuple[pa.Array[Any], Faults]:
    """Each cell in its canonical form; null where it is null or refused."""
    encoded = cells.dictionary_encode()
    forms: list[str | None] = []
    refused: dict[int, str] = {}
    for i, cell in enumerate(encoded.dictionary.to_pylist()):
        try:
            forms.append(canonical(cell))
        except ValueError as reason:
            forms.append(None)
            refused[i] = str(reason)
    at = encoded.indices.fill_null(-1).to_numpy()
    return pa.array(forms, pa.string()).take(encoded.indices), _by_place(at, refused)


def _by_place(at: Numbers, refused: Faults) -> Faults:
    """What is said of distinct cells, by the places of the column that hold them."""
    if not refused:
        return {}
    return {int(i): refused[int(at[i])] for i in np.flatnonzero(np.isin(at, list(refused)))}
