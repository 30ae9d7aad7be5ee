"""How the interpreter is set in a process that serves for long."""

from __future__ import annotations

import gc

_NEW_OBJECTS = 10_000
"""An import makes some thirty objects a row; looking for garbage every 700, as is usual, is a fifth of its work."""


def started() -> None:
    """What there is by now stays. Walked again, it would cost a request of ten thousand records 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
