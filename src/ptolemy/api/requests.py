"""Around every request: its id, one line in the log, and the last net under a fault of ours."""

from __future__ import annotations

import re
import time

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ptolemy.api import rate_limits
from ptolemy.api.answers import problem_response
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import Problem

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")

log = structlog.get_logger("ptolemy.requests")


class InternalError(Problem):
    status, title = 500, "Internal error"


class Requests:
    """Pure ASGI: three `BaseHTTPMiddleware` would cost ten times as much."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = _request_id(scope)
        started, status, ended = time.perf_counter(), 0, False

        async def send_with_id(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    *rate_limits.headers(scope),
                ]
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:  # the outermost loop: whatever happens, the client gets a problem and we get a trace
            log.exception("request failed", request_id=request_id, method=scope["method"], path=scope["path"])
            if not status:
                await _fault(request_id)(scope, receive, send_with_id)
            elif not ended:
                raise  # half an answer is out: only a broken connection tells the client
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                path=_path(scope),
                status=status,
                ms=milliseconds,
            )


async def fault_problem(request: Request, _: Exception) -> Response:
    """The answer to a fault of ours; Starlette then raises it again, and `Requests` logs it."""
    return _fault(request.scope["request_id"])


def _fault(request_id: str) -> Response:
    detail = "a fault of the server, not of the request; it is in the server's log under this request_id"
    return problem_response(InternalError("internal_error", detail), request_id)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return str(uuid7())


def _path(scope: Scope) -> str:
    """A signed address is a secret for as long as it works."""
    path: str = scope["path"]
    return "/v1/files/…" if path.startswith("/v1/files/") else path
