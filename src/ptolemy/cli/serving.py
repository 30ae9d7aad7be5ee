"""One process that serves the API and runs its jobs, from the first step to an orderly end."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn
import uvloop
from starlette.types import ASGIApp

from ptolemy.accounts.people import anyone_can_sign_in
from ptolemy.app import Configuration, create_app, open_product
from ptolemy.backups.surroundings import Surroundings
from ptolemy.cli import interpreter
from ptolemy.cli.logs import configure_logs
from ptolemy.cli.mail import mail_server
from ptolemy.cli.opening import database_dsn
from ptolemy.cli.proxies import BehindProxies
from ptolemy.cli.signals import on_stop
from ptolemy.database.embedded import serving_alone
from ptolemy.database.migrations import migrate
from ptolemy.database.pool import Database
from ptolemy.files.opening import open_store
from ptolemy.kernel.tracing import traces_to
from ptolemy.plans.configuration import read_plans
from ptolemy.settings import Settings, SettingsProblem, secret_key

GRACE_SECONDS = 30


def serve_until_stopped(settings: Settings, *, chosen_data_dir: Path | None) -> None:
    """Answers when a signal has ended it and everything is closed."""
    configure_logs(settings.log_level)
    # Before anything is started or made: a mistake in the file, or in the variables of S3, ends it here.
    read_plans(settings.plans_file)
    open_store(settings.files_url)
    with ExitStack() as held:
        held.enter_context(traces_to(settings.traces_url))
        if not settings.database_url:
            held.enter_context(serving_alone(settings.data_dir))
        # Before the database is started: a port that is taken should cost no time.
        listener = held.enter_context(_listening(settings.host, settings.port))
        try:
            uvloop.run(_serve(settings, listener, chosen_data_dir))
        except asyncio.CancelledError:
            return  # told to stop while it was starting


async def _serve(settings: Settings, listener: socket.socket, chosen_data_dir: Path | None) -> None:
    starting = asyncio.current_task()
    assert starting is not None  # noqa: S101 - inside a coroutine
    api: _Api | None = None

    def stop() -> None:
        if api:
            api.should_exit = True
        else:
            starting.cancel()

    on_stop(stop)
    async with database_dsn(settings, kept_alive=True) as dsn:
        await migrate(dsn)
        greeting = await _greeting(dsn, chosen_data_dir)
        configuration = _configuration(settings, dsn)
        ready = _ready(settings, listener)
        api = _Api(
            BehindProxies(create_app(lambda: open_product(configuration)), settings.trusted_proxies),
            ready=lambda: print(f"{ready}\n{greeting}", end="", flush=True),
        )
        await api.serve([listener])


class _Api(uvicorn.Server):
    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            interpreter.started()
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are ours: uvicorn raises them again at its end, which would kill us before the database is closed.
        yield


def _configuration(settings: Settings, dsn: str) -> Configuration:
    return Configuration(
        dsn,
        settings.files_url,
        secret_key(settings),
        public_url=settings.public_url,
        max_upload_bytes=int(settings.max_upload),
        max_unpacked_bytes=int(settings.max_unpacked),
        jobs_at_once=settings.jobs_at_once,
        indexed_from_records=settings.indexed_from_records,
        backups=Surroundings(settings.allowed_backup_directories, settings.backup_buckets),
        webhook_allow=settings.webhook_allow,
        signup_is_open=settings.signup,
        mail_server=mail_server(settings),
        plans=read_plans(settings.plans_file),
        burst_per_second=settings.burst_per_second,
        metrics_token=settings.metrics_token.get_secret_value() if settings.metrics_token else None,
        events_days=settings.events_days,
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        advice = "choose another --host" if isinstance(error, socket.gaierror) else "choose another --port or --host"
        raise SettingsProblem(f"can't listen on {host} port {port} ({reason}): {advice}") from None
    with listener:
        yield listener


def _ready(settings: Settings, listener: socket.socket) -> str:
    """Where it listens, for a proxy or a health check, and where users find it if that is elsewhere."""
    ready = f"Ptolemy is ready at {_address(settings, listener)} (Ctrl-C stops it)"
    if settings.public_url:
        return f"{ready}\nLinks are made for {settings.public_url} (PTOLEMY_PUBLIC_URL)"
    return ready


def _address(settings: Settings, listener: socket.socket) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - to be shown
    port = listener.getsockname()[1]
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


async def _greeting(dsn: str, chosen_data_dir: Path | None) -> str:
    """How to sign in, as long as nobody can."""
    database = await Database.open(dsn)
    try:
        async with database.session() as session:
            if await anyone_can_sign_in(session):
                return ""
    finally:
        await database.close()
    where = f" --data-dir {shlex.quote(str(chosen_data_dir))}" if chosen_data_dir else ""
    return "\n".join(
        [
            "",
            "Nobody can sign in yet. In another terminal:",
            f"  ptolemy workspace create acme{where}",
            f"  ptolemy user create you@example.com --workspace acme --role admin{where}",
            f"  ptolemy token create --workspace acme --robot loader{where}",
            "",
        ]
    )
