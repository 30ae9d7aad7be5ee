"""What can go wrong, as RFC 9457 problems.

Problem
├── BadRequest            400  the request can't be parsed or is not supported
├── Unauthorized          401  no, bad, expired or revoked credentials
├── Forbidden             403  the role is too low, or the item quota is used up
├── NotFound              404  no such record in this workspace
├── Conflict              409  the record's state, or another record, forbids it
├── Gone                  410  it was there, and its time is over
├── PreconditionFailed    412  `If-Match` names a version that is gone
├── TooLarge              413  the body is larger than allowed
├── UnsupportedMediaType  415  the body is of another content type
├── Invalid               422  values that break a rule; names each field
├── TooManyRequests       429  too much in too little time; `Retry-After` says when to come back
└── Unavailable           503  too much to do at once, or the database is away; `Retry-After` says when to come back

What only one room can say has its class there, like `files.store.StorageFull`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldError:
    """One bad value: `field` is its path in the body (`items.open`), `code` is stable, `message` is for people."""

    field: str
    code: str
    message: str


class Problem(Exception):
    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(
        self,
        code: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        *,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`more` stands beside the standard members in the answer (RFC 9457 extension members)."""
        super().__init__(detail)
        self.code, self.detail, self.errors = code, detail, errors
        self.more, self.headers = more or {}, headers or {}


class BadRequest(Problem):
    status, title = 400, "Bad request"


class Unauthorized(Problem):
    status, title = 401, "Unauthorized"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, headers={"WWW-Authenticate": 'Bearer realm="ptolemy"'})


class Forbidden(Problem):
    status, title = 403, "Forbidden"


class NotFound(Problem):
    status, title = 404, "Not found"


class Conflict(Problem):
    status, title = 409, "Conflict"


class Gone(Problem):
    status, title = 410, "Gone"


class PreconditionFailed(Problem):
    status, title = 412, "Precondition failed"


class TooLarge(Problem):
    status, title = 413, "Content too large"


class UnsupportedMediaType(Problem):
    status, title = 415, "Unsupported media type"


class Invalid(Problem):
    status, title = 422, "Invalid values"

    def __init__(self, *errors: FieldError, detail: str | None = None) -> None:
        """`detail` stands for what the errors say where they are too many for one sentence."""
        said = detail or "; ".join(f"{e.field}: {e.message}" for e in errors)
        super().__init__("invalid_values", said, errors)


class Unavailable(Problem):
    status, title = 503, "Unavailable"

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail, headers={"Retry-After": str(retry_after_seconds)})


class TooManyRequests(Problem):
    status, title = 429, "Too many requests"

    def __init__(self, code: str, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail, headers={"Retry-After": str(retry_after_seconds)})
