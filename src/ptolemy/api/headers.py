"""What OpenAPI says of the headers that an operation takes and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptolemy.api.operations import Operation

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}


def _header(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "schema": schema}


ANSWERED = {
    "X-Request-Id": _header("The id of the request: the client's own, else a new one.", _TEXT),
    "X-RateLimit-Limit": _header("For robots: how many calls the workspace may make in this month (UTC).", _NUMBER),
    "X-RateLimit-Remaining": _header("For robots: how many of them are left.", _NUMBER),
    "X-RateLimit-Reset": _header("For robots: when the next month begins, in seconds since 1970.", _NUMBER),
}
"""Headers of every answer."""

_ETAG = {"ETag": _header("The version of the record, for If-Match and If-None-Match.", _TEXT)}
_LOCATION = {"Location": _header("Where what was made is found.", _TEXT)}
_REPLAYED = {"Idempotency-Replayed": _header("`true` where an earlier call with this key was answered so.", _TEXT)}


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """The headers that the operation takes, besides those of every request."""
    found = []
    if operation.takes_key:
        description = (
            "The same key with the same request, within 24 hours, is answered as the first time; nothing is done twice."
        )
        found.append(_parameter("Idempotency-Key", description, {"pattern": "^[!-~]{1,255}$"}))
    if operation.takes_if_match:
        found.append(_parameter("If-Match", "Refuse with 412 unless the record has one of these ETags."))
    if operation.versioned and operation.method == "GET":
        found.append(_parameter("If-None-Match", "Answer 304, without a body, if the record has one of these ETags."))
    return found


def answers(operation: Operation) -> dict[str, Any]:
    """What to add to the documented answers: their headers, and the 304 that has no body."""
    found: dict[str, Any] = {}
    for status in operation.answers:
        headers = dict(_of_success(operation, status))
        if headers:
            found[str(status)] = {"headers": headers}
    if operation.versioned and operation.method == "GET":
        found["304"] = {"description": "The client has this version already.", "headers": _ETAG}
    return found


def _of_success(operation: Operation, status: int) -> Iterable[tuple[str, Any]]:
    if operation.versioned and status != 204:
        yield from _ETAG.items()
    if status in (201, 202):
        yield from _LOCATION.items()
    if operation.takes_key:
        yield from _REPLAYED.items()


def _parameter(name: str, description: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {**_TEXT, **(schema or {})},
    }
