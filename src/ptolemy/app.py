"""The ASGI application, put together from values and rooms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from ptolemy.accounts.invitation_mail import Letters, MailServer
from ptolemy.accounts.invitations import invitation_signer
from ptolemy.accounts.passwords import Passwords
from ptolemy.api.account_operations import account_operations
from ptolemy.api.answers import ProblemModel, broken_off, http_problem, problem
from ptolemy.api.backup_operations import backup_operations
from ptolemy.api.calendar_operations import calendar_operations
from ptolemy.api.dispatch import Dispatcher
from ptolemy.api.docs_page import docs_routes
from ptolemy.api.event_operations import event_operations
from ptolemy.api.export_operations import export_operations
from ptolemy.api.file_operations import file_operations
from ptolemy.api.gate import count_in_vain
from ptolemy.api.headers import ANSWERED
from ptolemy.api.health import health_operations
from ptolemy.api.import_operations import import_operations
from ptolemy.api.item_operations import item_operations
from ptolemy.api.metrics_operations import metrics_operations
from ptolemy.api.operations import Operation, OperationRoute
from ptolemy.api.plan_operations import plan_operations
from ptolemy.api.rehearsal_operations import rehearsal_operations
from ptolemy.api.requests import Requests, fault_problem
from ptolemy.api.resource_operations import resource_operations
from ptolemy.api.restore_operations import restore_operations
from ptolemy.api.series_operations import series_operations
from ptolemy.api.services import Services
from ptolemy.api.upload_operations import upload_operations
from ptolemy.api.webhook_operations import webhook_operations
from ptolemy.backups.surroundings import Surroundings
from ptolemy.catalogue import RESOURCES
from ptolemy.database.pool import Database
from ptolemy.engine.cursors import Cursors
from ptolemy.engine.custom_field_indexes import MANY_RECORDS
from ptolemy.files.opening import LONG, open_store
from ptolemy.files.store import FileStore
from ptolemy.jobs.beside import beside
from ptolemy.jobs.runner import JobPace
from ptolemy.kernel.problems import Problem
from ptolemy.kernel.sealing import Sealer
from ptolemy.kernel.signing import Signer
from ptolemy.plans.calls import Meter
from ptolemy.plans.configuration import configure
from ptolemy.plans.plan import DEFAULTS, Plan
from ptolemy.webhooks.addresses import Guard, Network
from ptolemy.webhooks.bell import ringing
from ptolemy.webhooks.opening import SEALED_FOR, delivering
from ptolemy.webhooks.retries import DeliveryPace
from ptolemy.worker import Working, run_worker

CONNECTION_WAIT_SECONDS = 30
"""How long a request waits for a connection of the database, when others hang on all of them."""

_UNTOLD: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own telemetry would tell whole addresses, signed ones too: we tell what we want told (`kernel.tracing`)."""

log = structlog.get_logger("ptolemy.app")

Opener = Callable[[], AbstractAsyncContextManager[Services]]


@dataclass(frozen=True)
class Configuration:
    """What the product runs with. `jobs_at_once` of 0 leaves the jobs to other processes."""

    dsn: str
    files_url: str
    secret_key: str
    public_url: str | None = None
    max_upload_bytes: int = 100_000_000
    max_unpacked_bytes: int = 1_000_000_000
    jobs_at_once: int = 2
    job_pace: JobPace = field(default_factory=JobPace)
    indexed_from_records: int = MANY_RECORDS
    backups: Surroundings = field(default_factory=Surroundings)
    webhook_allow: tuple[Network, ...] = ()
    delivery_pace: DeliveryPace = field(default_factory=DeliveryPace)
    signup_is_open: bool = False
    mail_server: MailServer | None = None
    plans: Mapping[str, Plan] = field(default_factory=lambda: DEFAULTS)
    burst_per_second: int | None = None
    metrics_token: str | None = None
    events_days: int | None = None

    @property
    def letters(self) -> Letters | None:
        """What the worker sends e-mails with, where it can."""
        return Letters(self.mail_server, invitation_signer(self.secret_key)) if self.mail_server else None


@asynccontextmanager
async def open_product(configuration: Configuration) -> AsyncIterator[Services]:
    """Services on an open database, and a worker beside them; at the end the worker's batches finish first."""
    files = open_store(configuration.files_url)
    identity = await files.identity()
    database = await Database.open(configuration.dsn, files=identity, patience_seconds=CONNECTION_WAIT_SECONDS)
    meter = Meter(database, burst_per_second=configuration.burst_per_second)
    services = Services(
        database=database,
        files=files,
        passwords=Passwords(),
        cursors=Cursors(Signer(configuration.secret_key, "cursors")),
        file_signer=Signer(configuration.secret_key, "files"),
        public_url=configuration.public_url,
        max_upload_bytes=configuration.max_upload_bytes,
        meter=meter,
        backups=configuration.backups,
        webhook_guard=Guard(configuration.webhook_allow),
        sealer=Sealer(configuration.secret_key, SEALED_FOR),
        session_signer=Signer(configuration.secret_key, "sessions"),
        invitation_signer=invitation_signer(configuration.secret_key),
        signup_is_open=configuration.signup_is_open,
        sends_mail=configuration.mail_server is not None,
        metrics_token=configuration.metrics_token,
    )
    try:
        await configure(database, configuration.plans)
        async with meter.running(), AsyncExitStack() as running:
            await running.enter_async_context(ringing(database))
            if configuration.jobs_at_once:
                await running.enter_async_context(beside(lambda stop: _work(configuration, stop)))
            yield services
    finally:
        await database.close()


async def _work(configuration: Configuration, stop: asyncio.Event) -> None:
    """A worker until `stop`; one that dies of a fault of ours is followed by another, so that jobs go on."""
    files = open_store(configuration.files_url, LONG)
    # Connections of its own: requests may all wait for what an import holds, and it must not wait for theirs.
    database = await Database.open(configuration.dsn, app_connections=8 + 2 * configuration.jobs_at_once)
    try:
        while not stop.is_set():
            try:
                await _work_until(configuration, database, files, stop)
            except Exception:  # the outermost loop of the worker
                log.exception("worker_failed")
                await asyncio.sleep(1)
    finally:
        await database.close()


async def _work_until(configuration: Configuration, database: Database, files: FileStore, stop: asyncio.Event) -> None:
    async with delivering(
        database,
        secret_key=configuration.secret_key,
        public_url=configuration.public_url,
        allowed=configuration.webhook_allow,
        pace=configuration.delivery_pace,
    ) as ready:
        working = Working(
            concurrency=configuration.jobs_at_once,
            unpacked_limit_bytes=configuration.max_unpacked_bytes,
            indexed_from_records=configuration.indexed_from_records,
            backups=configuration.backups,
            letters=configuration.letters,
            events_days=configuration.events_days,
            pace=configuration.job_pace,
        )
        await run_worker(database, files, stop, working, ready)


def operations() -> list[Operation]:
    """Every operation that the API has."""
    of_resources = [operation for resource in RESOURCES for operation in resource_operations(resource)]
    return [
        *health_operations(),
        *metrics_operations(),
        *account_operations(),
        *plan_operations(),
        *of_resources,
        *calendar_operations(),
        *series_operations(),
        *item_operations(),
        *event_operations(),
        *export_operations(),
        *file_operations(),
        *upload_operations(),
        *import_operations(),
        *rehearsal_operations(),
        *restore_operations(),
        *backup_operations(),
        *webhook_operations(),
    ]


def create_app(open_services: Opener) -> Requests:
    """The application; what it works with is opened when it starts and closed when it ends."""
    opened: list[Services] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            opened.append(services)
            yield
            opened.clear()

    app = FastAPI(title="Ptolemy", version="1", lifespan=lifespan, docs_url=None, redoc_url=None, telemetry=_UNTOLD)
    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, http_problem)
    app.add_exception_handler(ClientDisconnect, broken_off)
    app.add_exception_handler(Exception, fault_problem)
    routes = [OperationRoute(operation, lambda: opened[0]) for operation in operations()]
    app.openapi = lambda: _openapi(app, routes, opened[0].public_path if opened else "")  # type: ignore[method-assign] # FastAPI's documented way
    # The document, beside the operations that it describes too, and its page.
    about = [Route("/v1/openapi.json", lambda _: JSONResponse(app.openapi())), *docs_routes()]
    app.mount("/", Dispatcher([*routes, *about], lambda request: count_in_vain(request, opened[0])))
    return Requests(app, lambda: bool(opened) and opened[0].is_served_over_tls)


def _openapi(app: FastAPI, routes: list[OperationRoute], public_path: str) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=routes)
        if public_path:
            document["servers"] = [{"url": public_path}]
        components = document.setdefault("components", {})
        problem_schema = ProblemModel.model_json_schema(ref_template="#/components/schemas/{model}")
        components.setdefault("schemas", {}).update(problem_schema.pop("$defs"), Problem=problem_schema)
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": "ptolemy_session"},
        }
        _describe_headers(document)
        app.openapi_schema = document
    return app.openapi_schema


def _describe_headers(document: dict[str, Any]) -> None:
    """Says once which headers every answer has."""
    document["components"]["headers"] = ANSWERED
    everywhere = {name: {"$ref": f"#/components/headers/{name}"} for name in ANSWERED}
    for methods in document["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                answer["headers"] = {**answer.get("headers", {}), **everywhere}
