"""`ptolemy worker`"""

from __future__ import annotations

from ptolemy.cli.options import DataDir

EXAMPLE = "\b\nExample:\n  PTOLEMY_DATABASE_URL=postgresql://ptolemy@db/ptolemy ptolemy worker"


def worker(data_dir: DataDir = None) -> None:
    """Run exports, imports and deliveries to webhooks, beside a server.

    Start as many workers as you like, on any host that reaches the database and the files.
    """
    import asyncio
    import os

    from prometheus_client import start_http_server

    from ptolemy.backups.surroundings import Surroundings
    from ptolemy.cli import interpreter
    from ptolemy.cli.failures import run
    from ptolemy.cli.logs import configure_logs
    from ptolemy.cli.mail import letters
    from ptolemy.cli.opening import open_database
    from ptolemy.cli.signals import on_stop
    from ptolemy.files.opening import LONG, open_store
    from ptolemy.files.store import FileStore
    from ptolemy.kernel.metrics import REGISTRY
    from ptolemy.kernel.tracing import traces_to
    from ptolemy.settings import Settings, load_settings, secret_key
    from ptolemy.webhooks.opening import delivering
    from ptolemy.worker import Working, run_worker

    async def work() -> None:
        stop = asyncio.Event()
        on_stop(stop.set)
        settings = load_settings(data_dir=data_dir)
        configure_logs(settings.log_level)
        files = open_store(settings.files_url, LONG)
        if settings.worker_metrics_port:
            start_http_server(settings.worker_metrics_port, "127.0.0.1", REGISTRY)
        with traces_to(settings.traces_url):
            await work_on(settings, files, stop)

    async def work_on(settings: Settings, files: FileStore, stop: asyncio.Event) -> None:
        async with (
            open_database(settings, files=files, kept_alive=True) as database,
            delivering(
                database,
                secret_key=secret_key(settings),
                public_url=settings.public_url,
                allowed=settings.webhook_allow,
            ) as ready,
        ):
            interpreter.started()
            print("ptolemy worker is ready", flush=True)
            working = Working(
                concurrency=max(1, settings.jobs_at_once),
                unpacked_limit_bytes=int(settings.max_unpacked),
                indexed_from_records=settings.indexed_from_records,
                backups=Surroundings(settings.allowed_backup_directories, settings.backup_buckets),
                letters=letters(settings),
                events_days=settings.events_days,
            )
            await run_worker(database, files, stop, working, ready)

    os.umask(0o077)  # exports are nobody else's business
    run(work())
