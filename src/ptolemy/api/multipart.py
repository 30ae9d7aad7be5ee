"""Forms with files (RFC 7578), read as they arrive: memory doesn't grow with the file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ptolemy.files.store import room_for
from ptolemy.kernel.problems import BadRequest, FieldError, Invalid, TooLarge, UnsupportedMediaType

_AROUND_BYTES = 100_000
"""What a form may have beside its file."""


@dataclass(frozen=True)
class Form:
    fields: dict[str, str]
    files: dict[str, UploadFile]


async def read_form(request: Request, *, file_limit_bytes: int) -> Form:
    """The fields and files of the form; each name may stand once."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        sent = content_type or "none"
        raise UnsupportedMediaType("unsupported_media_type", f"Content-Type must be multipart/form-data, got {sent}")
    stream = _limited(request, file_limit_bytes)
    try:
        with room_for("the server's temporary directory has no room for the upload"):
            items = (await MultiPartParser(request.headers, stream, max_files=1, max_fields=20).parse()).multi_items()
    except MultiPartException as error:
        raise BadRequest("malformed_form", f"the form can't be read: {error.message}") from None
    _refuse_repeated([name for name, _ in items])
    files = {name: value for name, value in items if isinstance(value, UploadFile)}
    _refuse_nul(files)
    return Form({name: value for name, value in items if isinstance(value, str)}, files)


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit + _AROUND_BYTES:
            raise too_large(limit)
        yield chunk


def too_large(limit: int) -> TooLarge:
    return TooLarge(
        "file_too_large",
        f"a file in one request may have at most {limit} bytes: compress it with gzip, or send it in parts"
        " (POST /uploads, PUT /uploads/{id}/parts/{n}, then POST /imports with upload_id)",
    )


def _refuse_repeated(names: list[str]) -> None:
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise Invalid(*(FieldError(name, "repeated", "must be given once") for name in sorted(repeated)))


def _refuse_nul(files: dict[str, UploadFile]) -> None:
    """PostgreSQL keeps no text that holds one."""
    for name, file in files.items():
        if "\0" in (file.filename or ""):
            raise Invalid(FieldError(name, "invalid_name", "the file's name must not hold a NUL character"))


def form_schema(model: Any) -> dict[str, Any]:
    """The OpenAPI of a form: the fields of `model`, and a file, or the upload that takes its place."""
    schema = model.model_json_schema()
    file = {
        "type": "string",
        "format": "binary",
        "description": "CSV, a JSON array, NDJSON or Parquet, also with gzip; of a workspace its ZIP",
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": file, **schema["properties"]},
                        "required": schema["required"],
                    }
                }
            },
        }
    }
