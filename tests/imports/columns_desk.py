"""A workspace to import values into, without the product around it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.formats.detection import Format
from ptolemy.imports.columns.encode import EncodedBlock
from ptolemy.imports.columns.loader import ValuesLoader
from ptolemy.imports.row_errors import RowError
from ptolemy.kernel.actors import SYSTEM, Caller


@dataclass(frozen=True)
class Desk:
    """A workspace with the instruments bhp, rio and gone (archived), and the series close and ohlcv (composite)."""

    db: Database
    caller: Caller
    bhp: UUID
    rio: UUID
    close: UUID

    async def load(self, content: str, format: Format = "csv", **options: Any) -> tuple[int, list[RowError]]:
        async with self.db.bulk(self.caller) as tx:
            return await write(await loader_of(tx, **options), tx, content, format)

    async def stored(self, what: str) -> list[Any]:
        async with self.db.bulk(self.caller) as tx:
            statement = f"select {what} from time_series_values where workspace_id = ? order by id"
            return [tuple(row.values()) for row in await tx.rows(Sql.of(statement, self.caller.workspace_id))]

    async def run(self, text: str, *args: Any) -> None:
        async with self.db.bulk(self.caller) as tx:
            await tx.run(Sql.of(text, *args, self.caller.workspace_id))


async def loader_of(tx: Transaction, *, staged: bool = False) -> ValuesLoader:
    """`staged` asks for the way that Citus needs, on any database."""
    loader = await ValuesLoader.load(tx)
    loader._staged |= staged
    return loader


async def write(loader: ValuesLoader, tx: Transaction, content: str, format: Format) -> tuple[int, list[RowError]]:
    inserted = 0
    errors: list[RowError] = []
    for block in loader.blocks(io.BytesIO(content.encode()), format):
        assert isinstance(block, EncodedBlock)
        written = await loader.write(tx, block)
        inserted, errors = inserted + written.inserted, [*errors, *written.errors]
    return inserted, errors


@asynccontextmanager
async def open_desk(database_url: str) -> AsyncIterator[Desk]:
    db = await Database.open(database_url, app_connections=2, owner_connections=3)
    workspace, kind, bhp, rio, close = uuid4(), uuid4(), uuid4(), uuid4(), uuid4()
    caller = Caller(workspace, SYSTEM)
    async with db.bulk(caller) as tx:
        await tx.run(Sql.of("insert into workspaces (id, slug, name) values (?, ?, 'W')", workspace, str(workspace)))
        await tx.run(
            Sql.of(
                "insert into instrument_types (workspace_id, id, identifier) values (?, ?, 'equity')", workspace, kind
            )
        )
        await tx.run(
            Sql.of(
                "insert into series (workspace_id, id, identifier, kind)"
                " select ?, * from unnest(?::uuid[], ?::text[], ?::text[]) returning id",
                workspace,
                [close, uuid4()],
                ["close", "ohlcv"],
                ["scalar", "composite"],
            )
        )
        await tx.run(
            Sql.of(
                "insert into instruments (workspace_id, id, identifier, name, type_id, field_values, archived_at)"
                " select ?, i, n, n, ?, '{}', case when n = 'gone' then now() end"
                " from unnest(?::uuid[], ?::text[]) t (i, n) returning id",
                workspace,
                kind,
                [bhp, rio, uuid4()],
                ["bhp", "rio", "gone"],
            )
        )
    try:
        yield Desk(db, caller, bhp, rio, close)
    finally:
        await db.close()
