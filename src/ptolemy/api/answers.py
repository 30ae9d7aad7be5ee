"""Answers as bytes, and problems as RFC 9457 documents."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import BadRequest, Problem


class FieldError(BaseModel):
    field: str
    code: str
    message: str


class ProblemModel(BaseModel):
    """A problem (RFC 9457). `code` is stable; `errors` names each bad field; `dependents` counts what is in the way.

    `location` is where to find what an earlier request has made, `forgotten_up_to` the position of the last event that
    is no longer kept.
    """

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] = []
    dependents: dict[str, int] = {}
    location: str = ""
    forgotten_up_to: str = ""


def json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def no_content() -> Response:
    return Response(status_code=204)


async def problem(request: Request, error: Exception) -> Response:
    """The answer to a problem that an operation raised."""
    assert isinstance(error, Problem)  # noqa: S101 - registered for problems alone
    return problem_response(error, request.scope["request_id"])


def problem_response(error: Problem, request_id: str) -> Response:
    document: dict[str, Any] = {
        "type": f"urn:ptolemy:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        **error.more,
    }
    if error.errors:
        document["errors"] = [asdict(each) for each in error.errors]
    return Response(encode(document), error.status, dict(error.headers), media_type="application/problem+json")


async def broken_off(request: Request, _: Exception) -> Response:
    """The end of a request whose client went away amid its body: for the log, since nobody reads it."""
    gone = BadRequest("incomplete_body", "the connection ended before the body did: send it again")
    return problem_response(gone, request.scope["request_id"])


_CODES = {404: "not_found", 405: "method_not_allowed"}
_DETAILS = {404: "there is nothing at this address", 405: "this address doesn't take this method"}


async def http_problem(request: Request, error: Exception) -> Response:
    """What the router itself refuses: an unknown address, a method that a resource lacks."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these alone
    code = _CODES.get(error.status_code, "http_error")
    document = {
        "type": f"urn:ptolemy:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": error.status_code,
        "detail": _DETAILS.get(error.status_code, str(error.detail)),
        "code": code,
        "request_id": request.scope["request_id"],
    }
    headers = dict(error.headers or {})
    return Response(encode(document), error.status_code, headers, media_type="application/problem+json")
