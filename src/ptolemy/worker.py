"""The worker: every kind of job there is, run until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ptolemy.database.pool import Database
from ptolemy.exports.requests import KIND as EXPORT
from ptolemy.exports.run import ExportHandler
from ptolemy.files.store import FileStore
from ptolemy.imports.requests import KIND as IMPORT
from ptolemy.imports.run import ImportHandler
from ptolemy.jobs.job import Handler
from ptolemy.jobs.runner import Runner


async def run_worker(
    database: Database, files: FileStore, stop: asyncio.Event, *, concurrency: int, unpacked_limit_bytes: int
) -> None:
    """Works until `stop` is set; then batches end, and what is unfinished is given back for another worker."""
    runner = Runner(database, handlers(database, files, unpacked_limit_bytes), concurrency=concurrency)
    working = asyncio.create_task(runner.run())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
        runner.stop()
        await working
    finally:
        stopped.cancel()
        working.cancel()
        await asyncio.wait((working,))


def handlers(database: Database, files: FileStore, unpacked_limit_bytes: int) -> Mapping[str, Handler]:
    """Who does which kind of job."""
    return {
        EXPORT: ExportHandler(database, files),
        IMPORT: ImportHandler(database, files, unpacked_limit_bytes=unpacked_limit_bytes),
    }
