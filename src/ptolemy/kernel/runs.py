"""Sequences cut into runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def runs(items: Iterable[T], key: Callable[[T], Hashable | None]) -> Iterator[list[T]]:
    """The items in their order, cut before each whose key stands in the run already; None is no key."""
    run: list[T] = []
    seen: set[Hashable | None] = set()
    for item in items:
        own = key(item)
        if own in seen:
            yield run
            run, seen = [], set()
        run.append(item)
        seen |= {own} - {None}
    if run:
        yield run
