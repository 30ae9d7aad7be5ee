"""How far a long call is, told to whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Progress:
    """One step of the work on one thing; `total` is None until the server knows it."""

    name: str
    """A resource type, or `workspace`."""
    step: Literal["exporting", "downloading", "uploading", "importing", "rehearsing"]
    done: int
    total: int | None
    unit: Literal["rows", "bytes"]


Tell = Callable[[Progress], None]


def tell_nobody(_: Progress) -> None:
    pass
