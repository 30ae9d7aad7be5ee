"""Scalar values by the million: import and export against what COPY itself takes.

    python -m bench.values [rows]

Prints each way's seconds, its ratio to raw COPY of the same rows into (out of) the same indexed table, and the memory.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

from ptolemy.database.embedded import start
from ptolemy.database.migrations import migrate
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.engine.interchange import Interchange, custom_fields
from ptolemy.exports.columns.export import export_values, shape_of
from ptolemy.formats.detection import Format
from ptolemy.imports.columns.encode import EncodedBlock
from ptolemy.imports.columns.loader import ValuesLoader, copy_rows
from ptolemy.imports.pipeline import ahead
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.resources.time_series_values import TimeSeriesValues

INSTRUMENTS = 400
FORMATS: tuple[Format, ...] = ("csv", "json")
COLUMNS = (
    "workspace_id, id, instrument_id, type_id, timestamp, value, field_values, created_at, updated_at, archived_at"
)


async def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as ends:
        folder = Path(directory)
        dsn = os.environ.get("PTOLEMY_DATABASE_URL") or _embedded(folder, ends)
        await migrate(dsn)
        db = await Database.open(dsn)
        caller = Caller(uuid4(), SYSTEM)
        try:
            await seed(db, caller)
            await imports(db, caller, folder, rows)
            await exports(db, caller, folder, rows)
        finally:
            await empty(db, caller)
            await db.close()


async def imports(db: Database, caller: Caller, folder: Path, rows: int) -> None:
    lean = folder / "lean.csv"
    write_lean(lean, rows)
    write_json(folder / "lean.json", rows)
    await raw_import(db, caller, lean)
    await empty(db, caller)
    raw = await raw_import(db, caller, lean)
    report("raw binary COPY", rows, raw, raw)
    ways: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        ("import CSV, continue", lambda: load(db, caller, lean, "csv", each=True)),
        ("import CSV, abort", lambda: load(db, caller, lean, "csv", each=False)),
        ("import JSON, continue", lambda: load(db, caller, folder / "lean.json", "json", each=True)),
    ]
    for name, way in ways:
        await empty(db, caller)
        report(name, rows, await timed(way), raw)
    await spoil(db, caller)
    report("a conflict in every block", rows, await timed(lambda: load(db, caller, lean, "csv", each=True)), raw)


async def exports(db: Database, caller: Caller, folder: Path, rows: int) -> None:
    await empty(db, caller)
    write_lean(folder / "lean.csv", rows)
    await load(db, caller, folder / "lean.csv", "csv", each=False)
    await vacuum(db)
    raw = await timed(lambda: raw_export(db, caller, folder / "raw"))
    report("raw text COPY", rows, raw, raw)
    for format in FORMATS:
        path = folder / f"full.{format}"
        report(f"export {format}", rows, await timed(partial(export, db, caller, path, format)), raw)
    await empty(db, caller)
    raw = await raw_import(db, caller, folder / "full.csv")
    report("raw binary COPY", rows, raw, raw)
    for format in FORMATS:
        await empty(db, caller)
        path = folder / f"full.{format}"
        report(
            f"import the export {format}", rows, await timed(partial(load, db, caller, path, format, each=False)), raw
        )


async def raw_export(db: Database, caller: Caller, path: Path) -> None:
    with path.open("wb") as out:

        async def take(chunk: bytes) -> None:
            out.write(chunk)

        async with db.snapshot(caller) as tx:
            await tx.driver.copy_from_query(
                f"select {COLUMNS} from time_series_values where workspace_id = $1 order by id",
                caller.workspace_id,
                output=take,
            )


async def export(db: Database, caller: Caller, path: Path, format: Format) -> None:
    with path.open("wb") as out:
        async with db.snapshot(caller) as tx:
            custom = await custom_fields(tx, Interchange(TimeSeriesValues))
            shape = await shape_of(tx, format, custom, {})
            await export_values(tx, out, shape, Sql.of("workspace_id = ?", caller.workspace_id))


async def timed(way: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await way()
    return time.perf_counter() - started


async def load(db: Database, caller: Caller, path: Path, format: Format, *, each: bool) -> None:
    """`each` block in a transaction of its own, as `continue` does, or all in one."""
    async with db.bulk(caller) as tx:
        loader = await ValuesLoader.load(tx)
    with path.open("rb") as source:
        blocks = ahead(loader.blocks(source, format))
        if each:
            async for block in blocks:
                async with db.bulk(caller) as tx:
                    await tx.run(Sql.of("set local synchronous_commit = off"))
                    assert isinstance(block, EncodedBlock)
                    await loader.write(tx, block)
        else:
            async with db.bulk(caller) as tx:
                async for block in blocks:
                    assert isinstance(block, EncodedBlock)
                    await loader.write(tx, block)


async def raw_import(db: Database, caller: Caller, path: Path) -> float:
    async with db.bulk(caller) as tx:
        loader = await ValuesLoader.load(tx)
    with path.open("rb") as source:
        ready = [block for block in loader.blocks(source, "csv") if isinstance(block, EncodedBlock)]

    async def copy() -> None:
        async with db.bulk(caller) as tx:
            for block in ready:
                await copy_rows(tx, block.active_rows, "time_series_values")

    return await timed(copy)


async def seed(db: Database, caller: Caller) -> None:
    workspace, kind = caller.workspace_id, uuid4()
    async with db.bulk(caller) as tx:
        await tx.run(
            Sql.of("insert into workspaces (id, slug, name) values (?, ?, 'bench')", workspace, str(workspace))
        )
        await tx.run(
            Sql.of(
                "insert into instrument_types (workspace_id, id, identifier) values (?, ?, 'equity')", workspace, kind
            )
        )
        await tx.run(
            Sql.of(
                "insert into series (workspace_id, id, identifier, kind) values (?, ?, 'close-price', 'scalar')",
                workspace,
                uuid4(),
            )
        )
        await tx.run(
            Sql.of(
                "insert into instruments (workspace_id, id, identifier, name, type_id, field_values)"
                " select ?, gen_random_uuid(), 'x' || n || '.ax', 'X', ?, '{}' from generate_series(0, ?) n",
                workspace,
                kind,
                INSTRUMENTS - 1,
            )
        )


async def empty(db: Database, caller: Caller) -> None:
    async with db.bulk(caller) as tx:
        await tx.run(Sql.of("delete from time_series_values where workspace_id = ?", caller.workspace_id))
    await vacuum(db)


async def vacuum(db: Database) -> None:
    driver = await db.listener()
    await driver.execute("vacuum analyze time_series_values")
    await driver.close()


async def spoil(db: Database, caller: Caller) -> None:
    """Leaves one value in five thousand, so that every block meets some that are taken."""
    async with db.bulk(caller) as tx:
        await tx.run(
            Sql.of(
                "delete from time_series_values where workspace_id = ? and mod(abs(hashtext(id::text)), 5000) <> 0",
                caller.workspace_id,
            )
        )
    await vacuum(db)


def write_lean(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("instrument,type_id,timestamp,value\n")
        for identifier, instant, value in _values(rows):
            file.write(f"{identifier},close-price,{instant},{value}\n")


def write_bad(path: Path, rows: int) -> int:
    """The same with four rows in a thousand that are bad, each in one of four ways; answers how many."""
    ways = (
        "nobody.ax,close-price,{0},{1}",
        "{2},no-price,{0},{1}",
        "{2},close-price,2024-13-45,{1}",
        "{2},close-price,{0},x",
    )
    bad = 0
    with path.open("w") as file:
        file.write("instrument,type_id,timestamp,value\n")
        for number, (identifier, instant, value) in enumerate(_values(rows)):
            way = "{2},close-price,{0},{1}"
            if number % 250 == 0:
                way, bad = ways[bad % len(ways)], bad + 1
            file.write(way.format(instant, value, identifier) + "\n")
    return bad


def write_json(path: Path, rows: int) -> None:
    with path.open("w") as file:
        separator = "[\n"
        for identifier, instant, value in _values(rows):
            file.write(
                f'{separator}{{"instrument":"{identifier}","type_id":"close-price","timestamp":"{instant}","value":"{value}"}}'
            )
            separator = ",\n"
        file.write("\n]\n")


def _values(rows: int) -> Iterator[tuple[str, str, str]]:
    days = rows // INSTRUMENTS
    first = datetime(2000, 1, 3, tzinfo=UTC)
    instants = [(first + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ") for day in range(days)]
    for i in range(INSTRUMENTS):
        for day, instant in enumerate(instants):
            yield f"x{i}.ax", instant, f"{(i * 7919 + day * 104729) % 100_000 / 1000:.3f}"


def report(name: str, rows: int, seconds: float, raw: float) -> None:
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{name:28} {seconds:7.2f} s {rows / seconds:11,.0f} rows/s {raw / seconds:6.2f} of raw {megabytes:6} MB",
        flush=True,
    )


def _embedded(folder: Path, ends: ExitStack) -> str:
    # The server's own user has to pass through.
    folder.chmod(0o711)
    server = start(folder / "data")
    ends.callback(server.release)
    return server.dsn


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
