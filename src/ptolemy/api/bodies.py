"""What a request carries: query parameters and JSON bodies, exact and validated."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from ptolemy.api.refusals import refusal
from ptolemy.kernel.json import decode_exact
from ptolemy.kernel.problems import BadRequest, FieldError, Invalid, TooLarge, UnsupportedMediaType

MAX_JSON_BYTES = 10_000_000
MAX_BATCH_BYTES = 50_000_000
"""Ten thousand composite values of a hundred items each are within it."""


class NoQuery(BaseModel):
    model_config = {"extra": "forbid"}


def validated_query(request: Request, model: type[BaseModel] | None) -> Any:
    """The query parameters as `model`; unknown and repeated ones are refused."""
    pairs = request.query_params.multi_items()
    repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    if repeated:
        raise Invalid(*(FieldError(name, "repeated", "must be given once") for name in repeated))
    return validated(model or NoQuery, dict(pairs))


def decoded_json(body: bytes) -> Any:
    """What the body says, with exact numbers."""
    try:
        return decode_exact(body)
    except msgspec.DecodeError as error:
        raise BadRequest("malformed_json", f"the body is not JSON: {error}") from None


async def json_body(request: Request, limit_bytes: int) -> bytes:
    """The body as it was sent, which says that it is JSON."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        sent = content_type or "none"
        raise UnsupportedMediaType("unsupported_media_type", f"Content-Type must be application/json, got {sent}")
    encoding = request.headers.get("content-encoding", "").strip()
    if encoding.lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            "unsupported_encoding",
            f"a JSON body is sent as it is, without Content-Encoding {encoding}",
            headers={"Accept-Encoding": "identity"},
        )
    return await _limited_body(request, limit_bytes)


async def _limited_body(request: Request, limit_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge("body_too_large", f"the body must have at most {limit_bytes} bytes")


def validated(model: type[BaseModel], value: Any, *, strict: bool = False) -> Any:
    """`value` as `model`; a 422 names every bad field. Unless `strict`, a text may stand for a number or a boolean."""
    try:
        return model.model_validate(value, strict=strict)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise Invalid(*(refusal(dict(each)) for each in found)) from None
