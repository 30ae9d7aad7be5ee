"""Work beside the requests of the same process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager

import uvloop


@asynccontextmanager
async def beside(work: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs `work` in a thread with an event loop of its own; at the end its event is set and it is waited for.

    In the loop of the requests each of them would wait for the millions of rows that pass through it.
    """
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    ended: Future[None] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        begun.set_result((asyncio.get_running_loop(), stop))
        await work(stop)

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main())
            ended.set_result(None)
        except BaseException as error:  # told to whoever waits for the end
            ended.set_exception(error)

    threading.Thread(target=run, name="worker").start()
    loop, stop = await asyncio.wrap_future(begun)
    try:
        yield
    finally:
        if not ended.done():
            loop.call_soon_threadsafe(stop.set)
        await asyncio.wrap_future(ended)
