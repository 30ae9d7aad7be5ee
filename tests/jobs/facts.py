"""Waiting for what must come true."""

from __future__ import annotations

import asyncio
from typing import Any

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql


async def fact(database: Database, sql: str, *args: Any) -> None:
    """Answers as soon as the query does so with something true."""
    async with asyncio.timeout(20):
        while True:
            async with database.session() as session:
                if await session.value(Sql.of(sql, *args)):
                    return
            await asyncio.sleep(0.02)
