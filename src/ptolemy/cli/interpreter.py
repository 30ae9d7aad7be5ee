"""How the interpreter is set in a process that serves for long."""

from __future__ import annotations

import gc
import sys

_NEW_OBJECTS = 10_000
"""An import makes some thirty objects a row; looking for garbage every 700, as is usual, is a fifth of its work."""

_SWITCH_SECONDS = 0.0002
"""How long a job's thread may keep a request waiting for the interpreter; usual are 5 ms, many times in a request."""


def started() -> None:
    """What there is by now stays. Walked again, it would cost a request of ten thousand records 0.1 s."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
    sys.setswitchinterval(_SWITCH_SECONDS)
