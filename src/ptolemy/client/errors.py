"""What can go wrong, as exceptions.

PtolemyError
├── ApiError                     the server refused, also an `httpx.HTTPStatusError`
│   ├── BadRequestError          400
│   ├── AuthenticationError      401
│   ├── ForbiddenError           403
│   ├── NotFoundError            404
│   ├── ConflictError            409
│   ├── PreconditionFailedError  412
│   ├── TooLargeError            413
│   ├── ValidationError          422  `errors` names each field
│   ├── RateLimitError           429
│   └── ServerError              5xx
├── Unreachable                  nobody answers, or not in the words of Ptolemy
├── JobFailed                    an export, import or rehearsal failed or was cancelled
└── DamagedFile                  a file isn't what its SHA-256 says
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from ptolemy.client.backups import FileRestored


class PtolemyError(Exception):
    pass


class ApiError(PtolemyError, httpx.HTTPStatusError):
    """An answer that refuses: `code` is stable, `detail` is for people, `errors` has field, code and message each."""

    def __init__(self, response: httpx.Response) -> None:
        problem = _problem(response)
        self.status = response.status_code
        self.code: str = problem.get("code") or f"http_{response.status_code}"
        self.detail: str = (
            problem.get("detail") or f"the server answers {response.status_code} {response.reason_phrase}"
        )
        self.errors: Sequence[Mapping[str, Any]] = problem.get("errors") or []
        self.request_id: str | None = problem.get("request_id") or response.headers.get("x-request-id")
        httpx.HTTPStatusError.__init__(self, self._said(), request=response.request, response=response)

    def _said(self) -> str:
        return self.detail


class BadRequestError(ApiError):
    pass


class AuthenticationError(ApiError):
    pass


class ForbiddenError(ApiError):
    pass


class NotFoundError(ApiError):
    pass


class ConflictError(ApiError):
    pass


class PreconditionFailedError(ApiError):
    pass


class TooLargeError(ApiError):
    pass


class ValidationError(ApiError):
    pass


class RateLimitError(ApiError):
    """`response.headers["Retry-After"]` says when to come back; the client has waited already where it wasn't long."""


class ServerError(ApiError):
    def _said(self) -> str:
        return f"{self.detail} (request {self.request_id})" if self.request_id else self.detail


class Unreachable(PtolemyError):
    pass


class JobFailed(PtolemyError):
    """`job` is its last state; an import's names the first bad rows in `errors`."""

    def __init__(self, job: Mapping[str, Any], kind: str) -> None:
        self.job = job
        self.restored: Sequence[FileRestored] = ()
        """Of a directory's restore: what became of the files before, which stay."""
        resource = job.get("resource_type")
        said = f"the {kind} of {resource}" if resource else f"the {kind}"
        if job["status"] == "cancelled":
            super().__init__(f"{said} was cancelled")
        else:
            super().__init__(f"{said} failed: {job.get('error') or _first_error(job)}")


class DamagedFile(PtolemyError):
    pass


def error_of(response: httpx.Response) -> ApiError:
    """The error that the answer's status stands for; the answer has been read."""
    status = response.status_code
    return _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)(response)


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    """The members of an RFC 9457 problem; none where something else than Ptolemy answers, a proxy say."""
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _first_error(job: Mapping[str, Any]) -> str:
    for error in job.get("errors") or ():
        return f"row {error['row']}: {error['message']}"
    return "the server doesn't say why"


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    413: TooLargeError,
    422: ValidationError,
    429: RateLimitError,
}
