"""What a request carries: query parameters and JSON bodies, exact and validated."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from ptolemy.kernel.json import decode_exact
from ptolemy.kernel.problems import BadRequest, FieldError, Invalid, TooLarge, UnsupportedMediaType

MAX_JSON_BYTES = 10_000_000


class NoQuery(BaseModel):
    model_config = {"extra": "forbid"}


def validated_query(request: Request, model: type[BaseModel] | None) -> Any:
    """The query parameters as `model`; unknown and repeated ones are refused."""
    pairs = request.query_params.multi_items()
    repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    if repeated:
        raise Invalid(*(FieldError(name, "repeated", "must be given once") for name in repeated))
    return validated(model or NoQuery, dict(pairs))


async def validated_json(request: Request, model: type[BaseModel]) -> Any:
    return validated(model, await json_body(request))


async def json_body(request: Request) -> Any:
    """The JSON body with exact numbers."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        sent = content_type or "none"
        raise UnsupportedMediaType("unsupported_media_type", f"Content-Type must be application/json, got {sent}")
    body = await limited_body(request, MAX_JSON_BYTES)
    try:
        return decode_exact(body)
    except msgspec.DecodeError as error:
        raise BadRequest("malformed_json", f"the body is not JSON: {error}") from None


async def limited_body(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"the body must have at most {limit} bytes")


def validated(model: type[BaseModel], value: Any) -> Any:
    """`value` as `model`; a 422 names every bad field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(
            *(_field_error(found) for found in error.errors(include_url=False, include_input=False))
        ) from None


_CODES = {"missing": "required", "extra_forbidden": "unknown_field"}
_MESSAGES = {"missing": "is required", "extra_forbidden": "is not known here"}


def _field_error(found: Any) -> FieldError:
    path = ".".join(str(part) for part in found["loc"]) or "body"
    kind = found["type"]
    return FieldError(path, _CODES.get(kind, kind), _MESSAGES.get(kind, found["msg"]))
