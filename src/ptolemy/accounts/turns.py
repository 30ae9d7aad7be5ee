"""Turns at something scarce: those who wait go on by turns, one of each client, and only so many may wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv6Address, ip_address

from ptolemy.kernel.problems import Unavailable

_RETRY_AFTER_SECONDS = 2


class Turns:
    """`at_once` go on together, `waiting` may wait. When all places are taken, who has the most of them gives one up.

    So a flood from one address keeps itself waiting, and somebody who comes once from elsewhere is soon let in.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free, self._places = at_once, waiting
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        """Who waits, by client; the client whose turn is next comes first."""

    def refuse_in_vain(self, address: str) -> None:
        """Raises what `taken` would raise at once: for before anything is done for who can't wait anyway."""
        if self._is_full and len(self._lines.get(client_of(address), ())) + 1 >= len(self._longest_line):
            raise _busy()

    @asynccontextmanager
    async def taken(self, address: str) -> AsyncIterator[None]:
        """A turn, for as long as the block lasts; a 503 where too many wait."""
        await self._wait(address)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, address: str) -> None:
        if self._free:
            self._free -= 1
            return
        self.refuse_in_vain(address)
        if self._is_full and not (last := self._longest_line.pop()).done():
            last.set_exception(_busy())
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._lines.setdefault(client_of(address), deque())
        line.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.cancelled():
                with suppress(ValueError):  # it was passed over already, or has given its place up
                    line.remove(mine)
            elif mine.exception() is None:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._lines:
            client = next(iter(self._lines))
            line = self._lines.pop(client)
            if not line:
                continue
            following = line.popleft()
            self._lines[client] = line  # the last one now
            if not following.done():
                following.set_result(None)
                return
        self._free += 1

    @property
    def _is_full(self) -> bool:
        return sum(map(len, self._lines.values())) >= self._places

    @property
    def _longest_line(self) -> deque[asyncio.Future[None]]:
        return max(self._lines.values(), key=len)


def client_of(address: str) -> str:
    """What one client's addresses have in common: of IPv6 everybody has a network of them (RFC 6177)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        # A proxy that listens for both writes IPv4 like this: all of it lies in one network of IPv6.
        return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
    return str(parsed)


def _busy() -> Unavailable:
    detail = f"too many people sign in at this moment: try again in {_RETRY_AFTER_SECONDS} seconds"
    return Unavailable("sign_in_busy", detail, retry_after_seconds=_RETRY_AFTER_SECONDS)
