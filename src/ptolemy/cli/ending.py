"""The end of a command's process.

Libraries have threads of their own, of which Python knows nothing. One that comes back for the interpreter while that
is torn down aborts the process, without a word and after all the work: CPython before 3.14 ends such a thread by
unwinding its stack, and Rust's can't be unwound. Obstore has such a thread whenever it hands over an answer. So the
interpreter is never torn down: what Python waits for is waited for, and then the process is over.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ended_by_its_exit_code() -> Iterator[None]:
    """Whatever exit code the block has, the process ends with it, once its threads and exit handlers have ended."""
    ended: list[int] = []
    # Before the command, so that what it registers to run at exit has run by then: the last registered comes first.
    atexit.register(_end, ended)
    try:
        yield
        ended.append(0)
    except SystemExit as end:
        ended.append(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise
    except Exception:
        ended.append(1)
        raise


def _end(ended: list[int]) -> None:
    if not ended:
        return  # By a signal, which Python passes on when it has ended.
    # Where nobody takes the last words, Python tells it as ever.
    with suppress(OSError):
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        os._exit(ended[0])
