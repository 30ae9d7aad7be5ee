"""SIGTERM and Ctrl-C ask for an orderly end; a second one doesn't wait for it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable


def on_stop(stop: Callable[[], None]) -> None:
    """Calls `stop` on the event loop at the first signal; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    asked = False

    def handle() -> None:
        nonlocal asked
        if asked:
            os._exit(1)
        asked = True
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)
