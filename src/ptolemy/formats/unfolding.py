"""How much a compressed file may unfold to: a small one that fills a disk or the memory is a bomb."""

from __future__ import annotations

from ptolemy.kernel.problems import TooLarge

HONEST_RATIO = 100
"""Rows that differ in their instants alone compress to a seventy-sixth, our own to a twentieth: what unfolds to more
than a hundred times its size, and to more than the limit, is a bomb (ten gigabytes out of ten megabytes is one)."""


def unfolds_too_far(what: str, limit_bytes: int, *ways_out: str) -> TooLarge:
    """The problem, with what can be done about it besides raising the limit."""
    *first, last = [*ways_out, "have the server's operator raise PTOLEMY_MAX_UNPACKED"]
    said = f"{', '.join(first)}, or {last}" if first else last
    return TooLarge("inflated_too_large", f"the {what} is larger than {limit_bytes:,} bytes when unpacked: {said}")
