"""An operation of the API as data, and the FastAPI route that runs and documents it."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Query
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from ptolemy.api import bodies, gate, headers, idempotency
from ptolemy.api.gate import Admitted
from ptolemy.api.services import Call, Services
from ptolemy.database.transaction import Overtaken
from ptolemy.kernel.problems import Conflict, Invalid

_ATTEMPTS = 20
_PAUSE_SECONDS = 0.002

T = TypeVar("T")

Handler = Callable[[Call], Awaitable[Response]]
Keyed = Literal["by_route", "by_handler", "never"]


@dataclass(frozen=True)
class Operation:
    """`access` is the least role in the workspace, or who else may call; `answers` has the model of each status."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    access: Admitted
    answers: Mapping[int, Any]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_limit_bytes: int = bodies.MAX_JSON_BYTES
    problems: tuple[int, ...] = ()
    find: Callable[[Call], Awaitable[object]] | None = None
    """Looks at the record that the path names: that there is none, or which state it is in, is told before the 422."""
    keyed: Keyed = "by_route"
    """Who sees to it that a POST with an `Idempotency-Key` is done once; a handler digests what isn't JSON itself."""
    versioned: bool = False
    """It answers or changes one record that has an ETag."""
    openapi: Mapping[str, Any] = field(default_factory=dict)
    """What OpenAPI must say besides: bodies that aren't JSON."""

    @property
    def takes_key(self) -> bool:
        """Whether it honours `Idempotency-Key`: a POST that writes. What a viewer may ask for only reads."""
        return self.method == "POST" and self.keyed != "never" and self.access not in ("anyone", "viewer")

    @property
    def takes_if_match(self) -> bool:
        return self.versioned and self.method != "GET" and "{id}" in self.path

    @property
    def name(self) -> str:
        parts = [part.strip("{}") for part in self.path.removeprefix("/v1").replace("-", "_").split("/") if part]
        return "_".join([self.method.lower(), *parts])


class OperationRoute(APIRoute):
    """Runs an operation behind the gate: who calls is settled before a body is read, and nothing is validated twice."""

    def __init__(self, operation: Operation, services: Callable[[], Services]) -> None:
        self.operation, self._services = operation, services
        [(status, model), *others] = operation.answers.items()
        super().__init__(
            operation.path,
            _documented(operation),
            methods=[operation.method],
            name=operation.name,
            operation_id=operation.name,
            summary=operation.summary,
            tags=[operation.tag],
            status_code=status,
            response_model=model,
            responses={
                **{other: {"model": other_model} for other, other_model in others},
                **dict.fromkeys(_problem_statuses(operation), _PROBLEM),
            },
            openapi_extra=_extra(operation),
        )

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        operation = self.operation
        once_by_route = operation.takes_key and operation.keyed == "by_route"

        async def handle(request: Request) -> Response:
            services = self._services()
            request.scope["operation"] = operation.name
            access = await _settled(partial(gate.admit, request, services, operation.access), _ATTEMPTS)
            call = Call(request, services, access, request.path_params, None, None)
            sent = await bodies.json_body(request, operation.body_limit_bytes) if operation.body else b""
            if operation.body:
                await gate.admit_again(request, services, operation.access)
            said = bodies.decoded_json(sent) if operation.body else None
            try:
                query = bodies.validated_query(request, operation.query)
                # Strictly: a text is no number, and no boolean.
                body = bodies.validated(operation.body, said, strict=True) if operation.body else None
            except Invalid:
                if operation.find:
                    await operation.find(call)
                raise
            call = replace(call, query=query, body=body)
            if once_by_route:
                return await _settled(partial(idempotency.once, call, sent, operation.handler), _ATTEMPTS)
            # A handler that has read the body itself can't read it again.
            return await _settled(partial(operation.handler, call), 1 if operation.keyed == "by_handler" else _ATTEMPTS)

        return handle


async def _settled(work: Callable[[], Awaitable[T]], attempts: int) -> T:
    """What `work` answers, done again while other writers come between."""
    for attempt in range(attempts):
        try:
            return await work()
        except Overtaken:
            await asyncio.sleep(random.uniform(0, attempt * _PAUSE_SECONDS))  # noqa: S311 - so that two don't keep meeting
    raise Conflict("overtaken", "other writers keep writing at the same records: try again")


_PROBLEM: dict[str, Any] = {
    "description": "Problem (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _problem_statuses(operation: Operation) -> list[int]:
    found = {*operation.problems, 422}  # a query parameter that it doesn't know
    if operation.tag != "operations":
        found |= {503, 507}  # the database is away, or has no room
    if operation.access != "anyone":
        found |= {401, 403, 429}
    if "{workspace}" in operation.path or "{id}" in operation.path:
        found.add(404)
    if operation.takes_if_match:
        found.add(412)
    if operation.takes_key:
        found.add(409)
    if operation.query or operation.body:
        found.add(400)
    if operation.body:
        found |= {413, 415}
    return sorted(found)


def _extra(operation: Operation) -> dict[str, Any]:
    security: dict[str, Any] = {} if operation.access == "anyone" else {"security": [{"bearer": []}, {"cookie": []}]}
    documented = dict(operation.openapi)
    answers: dict[str, Any] = {status: dict(answer) for status, answer in documented.pop("responses", {}).items()}
    for status, answer in headers.answers(operation).items():
        answers[status] = {**answers.get(status, {}), **answer}
    return {**security, **documented, "parameters": headers.parameters(operation), "responses": answers}


def _documented(operation: Operation) -> Callable[..., Any]:
    """A function whose signature tells FastAPI what to document; it never runs."""
    parts = [part.strip("{}") for part in operation.path.split("/") if part.startswith("{")]
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(part, kind, annotation=str) for part in parts]
    if operation.query:
        parameters.append(inspect.Parameter("query", kind, annotation=Annotated[operation.query, Query()]))
    if operation.body:
        parameters.append(inspect.Parameter("body", kind, annotation=operation.body))

    def documented() -> None:
        raise NotImplementedError

    documented.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # read by inspect.signature
    documented.__doc__ = operation.handler.__doc__
    return documented
