"""COPY into the database, and out of it in blocks of whole lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import asyncpg

from ptolemy.database.sql import Sql, numbered
from ptolemy.database.transaction import Transaction

DELIMITER, NULL = "\x02", "\\N"
"""Lines hold no quotes and escape nothing, so no picked column may hold control characters: JSON text escapes them."""

_BLOCK_BYTES = 2 << 20


async def copy_in(
    tx: Transaction, table: str, source: AsyncIterator[bytes | memoryview], columns: Sequence[str]
) -> None:
    """Binary rows into the table. Raises when the connection is lost: the driver alone would wait for ever.

    (It waits until it may write on, which nobody tells it any more.)
    """
    lost = asyncio.get_running_loop().create_future()

    def tell(_: object) -> None:
        if not lost.done():
            lost.set_result(None)

    tx.driver.add_termination_listener(tell)
    copying = asyncio.ensure_future(
        tx.driver.copy_to_table(table, source=source, columns=list(columns), format="binary")
    )
    try:
        await asyncio.wait((copying, lost), return_when=asyncio.FIRST_COMPLETED)
        if not copying.done():
            raise asyncpg.ConnectionDoesNotExistError("the connection was closed in the middle of a COPY")
    finally:
        tx.driver.remove_termination_listener(tell)
        if not copying.done():
            copying.cancel()
            await asyncio.wait((copying,))
    await copying


async def copy_lines(
    tx: Transaction, select: Sql, take: Callable[[bytes], int], each_block: Callable[[int], None] = lambda rows: None
) -> int:
    """Hands `take` the answer of `select` block by block, in a thread while the next arrives; answers the rows.

    `take` answers how many rows its lines hold; `each_block` hears the count so far, and what it raises ends it all.
    """
    taker = _Taker(take, each_block)
    try:
        await tx.driver.copy_from_query(
            numbered(select.text),
            *select.args,
            output=taker.add,
            format="csv",
            delimiter=DELIMITER,
            quote="\x01",
            null=NULL,
        )
        await taker.flush()
    finally:
        await taker.settle()
    return taker.rows


class _Taker:
    """Gathers whole lines; a thread takes one block while the next arrives."""

    def __init__(self, take: Callable[[bytes], int], each_block: Callable[[int], None]) -> None:
        self._take, self._each_block = take, each_block
        self._pending: list[bytes] = []
        self._size, self.rows = 0, 0
        self._taking: asyncio.Task[int] | None = None

    async def add(self, chunk: bytes) -> None:
        self._pending.append(chunk)
        self._size += len(chunk)
        if self._size >= _BLOCK_BYTES:
            await self._hand_over()

    async def flush(self) -> None:
        """Everything that was added is taken."""
        await self._hand_over()
        await self._taken()

    async def settle(self) -> None:
        """A thread can't be cancelled: leave only when it has let go of its file."""
        if self._taking:
            await asyncio.wait([self._taking])

    async def _hand_over(self) -> None:
        await self._taken()
        content = b"".join(self._pending)
        end = content.rfind(b"\n") + 1
        self._pending, self._size = [content[end:]], len(content) - end
        if end:
            self._taking = asyncio.create_task(asyncio.to_thread(self._take, content[:end]))

    async def _taken(self) -> None:
        if self._taking:
            taking, self._taking = self._taking, None
            self.rows += await taking
            self._each_block(self.rows)
