"""Around every request: its id, one line in the log, what is counted of it, and the last net under a fault of ours."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ptolemy.accounts.access import Access
from ptolemy.api import rate_limits
from ptolemy.api.answers import problem_response
from ptolemy.api.outages import outage_problem
from ptolemy.api.protective_headers import protected
from ptolemy.kernel import metrics, tracing
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import BadRequest, Problem

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")

_HOST = re.compile(rb"[\w.~!$&'()*+,;=%-]*(:\d*)?|\[[\w.:%-]+\](:\d*)?")
"""A name or an address, and perhaps a port (RFC 9110, section 7.2)."""

log = structlog.get_logger("ptolemy.requests")


class InternalError(Problem):
    status, title = 500, "Internal error"


_FAULT = InternalError(
    "internal_error", "a fault of the server, not of the request; it is in the server's log under this request_id"
)
_HOST_UNCLEAR = BadRequest("invalid_host", "a request has one Host header, and it names a host")


class Requests:
    """Pure ASGI: three `BaseHTTPMiddleware` would cost ten times as much."""

    def __init__(self, app: ASGIApp, served_over_tls: Callable[[], bool]) -> None:
        """`served_over_tls` says whether users come by https, even where a proxy hands their requests on by http."""
        self._app, self._served_over_tls = app, served_over_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = _request_id(scope)
        if not tracing.is_on():
            await self._observed(scope, receive, send, None)
            return
        with tracing.request_span(scope["method"], _trace_headers(scope)) as span:
            await self._observed(scope, receive, send, span)

    async def _observed(self, scope: Scope, receive: Receive, send: Send, span: Any) -> None:
        request_id = scope["request_id"]
        over_tls = scope["scheme"] == "https" or self._served_over_tls()
        started, status, ended = time.perf_counter(), 0, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = protected(
                    [
                        *message["headers"],
                        (b"x-request-id", request_id.encode()),
                        *rate_limits.headers(scope),
                    ],
                    over_tls=over_tls,
                )
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            if _names_its_host(scope):
                await self._app(scope, receive, send_with_id)
            else:
                await problem_response(_HOST_UNCLEAR, request_id)(scope, receive, send_with_id)
        except Exception as error:  # the outermost loop: whatever happens, the client gets a problem and we get a trace
            outage = outage_problem(error, scope["method"])
            about = {"request_id": request_id, "method": scope["method"], "path": _path(scope)}
            if outage:
                log.warning("database_failed", code=outage.code, reason=str(error), **about)
            else:
                log.exception("request failed", **about)
            if not status:
                await problem_response(outage or _FAULT, request_id)(scope, receive, send_with_id)
            elif not ended and outage:
                return  # as below; the server under us ends the connection of an answer that isn't whole, in one line
            elif not ended:
                raise  # half an answer is out: only a broken connection tells the client
        finally:
            _tell(scope, status, time.perf_counter() - started, span)


def _tell(scope: Scope, status: int, seconds: float, span: Any) -> None:
    """One line in the log, one more in the metrics, and what the span lacks yet.

    Never a query: it may hold a signature, or what somebody looks for.
    """
    operation: str | None = scope.get("operation")
    metrics.request_ended(operation or "none", status, seconds)
    access: Access | None = scope.get("access")
    who = {}
    if access is not None:
        actor, workspace = access.caller.actor, access.caller.workspace_id
        who = {"actor_type": actor.type, "actor_id": str(actor.id), "workspace_id": str(workspace)}
    log.info(
        "request",
        request_id=scope["request_id"],
        method=scope["method"],
        path=_path(scope),
        operation=operation,
        status=status,
        ms=round(seconds * 1000, 2),
        client=scope["client"][0] if scope.get("client") else None,
        **who,
    )
    if span is not None:
        about = {"http.response.status_code": status, "ptolemy.request_id": scope["request_id"], **_dotted(who)}
        tracing.describe(span, operation or scope["method"], about, failed=status >= 500 or not status)


def _dotted(who: dict[str, str]) -> dict[str, str]:
    return {f"ptolemy.{name}": value for name, value in who.items()}


def _trace_headers(scope: Scope) -> dict[str, str]:
    wanted = (b"traceparent", b"tracestate")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}


async def fault_problem(request: Request, error: Exception) -> Response:
    """The answer to a fault of ours, or an outage; Starlette then raises it again, and `Requests` logs it."""
    return problem_response(outage_problem(error, request.method) or _FAULT, request.scope["request_id"])


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return str(uuid7())


def _names_its_host(scope: Scope) -> bool:
    """Once, and as a host is written (RFC 9112, 3.2): links follow it, and a proxy must not have read another one."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if not hosts:
        # A line may claim any version, or none (HTTP/0.9): the older one alone has no need of the header.
        return str(scope["http_version"]) == "1.0"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


def _path(scope: Scope) -> str:
    """As it was sent, percent signs and all: a terminal that shows the log is told nothing by it.

    A signed address is a secret for as long as it works.
    """
    path: str = scope["path"]
    if path.startswith("/v1/files/"):
        return "/v1/files/…"
    return str(scope.get("raw_path", path.encode()).partition(b"?")[0].decode("ascii", "backslashreplace"))
