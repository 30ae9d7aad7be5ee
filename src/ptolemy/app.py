"""The ASGI application, put together from values and rooms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from ptolemy.api.account_operations import account_operations
from ptolemy.api.answers import ProblemModel, http_problem, problem
from ptolemy.api.dispatch import Dispatcher
from ptolemy.api.health import health_operations
from ptolemy.api.job_operations import job_operations
from ptolemy.api.operations import Operation, OperationRoute
from ptolemy.api.requests import Requests
from ptolemy.api.resource_operations import resource_operations
from ptolemy.api.services import Services
from ptolemy.catalogue import RESOURCES
from ptolemy.kernel.problems import Problem

Opener = Callable[[], AbstractAsyncContextManager[Services]]


def operations() -> list[Operation]:
    """Every operation that the API has."""
    of_resources = [operation for resource in RESOURCES for operation in resource_operations(resource)]
    return [*health_operations(), *account_operations(), *of_resources, *job_operations()]


def create_app(open_services: Opener) -> Requests:
    """The application; what it works with is opened when it starts and closed when it ends."""
    opened: list[Services] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with open_services() as services:
            opened.append(services)
            yield
            opened.clear()

    app = FastAPI(title="Ptolemy", version="1", lifespan=lifespan, redoc_url=None, openapi_url="/v1/openapi.json")
    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(HTTPException, http_problem)
    routes = [OperationRoute(operation, lambda: opened[0]) for operation in operations()]
    app.openapi = lambda: _openapi(app, routes)  # type: ignore[method-assign] # FastAPI's documented way
    app.mount("/", Dispatcher(routes))
    return Requests(app)


def _openapi(app: FastAPI, routes: list[OperationRoute]) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=routes)
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = ProblemModel.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = document
    return app.openapi_schema
