"""A server that dies is started again, for as long as this process needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

LOOK_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0

log = structlog.get_logger("ptolemy.database")


class Guard:
    """A thread that looks every second whether the server `lives`, and has it `revived` where it doesn't."""

    def __init__(self, lives: Callable[[], bool], revived: Callable[[], None]) -> None:
        self._lives, self._revived = lives, revived
        self._ended = threading.Event()
        # Not waited for where a process ends without ado: the server is looked after by whoever is left.
        self._thread = threading.Thread(target=self._watch, name="database guard", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Done when nothing is started any more; a start that is under way is waited for."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        pause, told = LOOK_SECONDS, False
        while not self._ended.wait(pause):
            try:
                if self._lives():
                    pause, told = LOOK_SECONDS, False
                    continue
                # Longer from one time to the next, also where it starts and dies again, as on a full disk.
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                if not told:
                    log.warning("database_died")
                told = True
                self._revived()
                log.warning("database_revived")
                told = False
            except Exception as error:  # the outermost loop of this thread
                log.error("database_not_revived", reason=str(error) or repr(error), again_in_seconds=pause)
