"""Uploads in parts over HTTP: for files larger than one request may be, and for lines that break."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO
from uuid import UUID

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from ptolemy.api import gate
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine.schemas import Body
from ptolemy.files import uploads
from ptolemy.files.store import discard, room_for
from ptolemy.files.uploads import MAX_PARTS, Part
from ptolemy.kernel.json import LARGEST_INTEGER, encode
from ptolemy.kernel.problems import FieldError, Invalid, TooLarge
from ptolemy.kernel.timestamps import write_timestamp

_NUMBER = re.compile(r"[0-9]{1,5}")


class UploadCreate(Body):
    file_name: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] | None = None
    size: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None


class UploadPart(BaseModel):
    number: int
    size: int
    sha256: str


class Upload(BaseModel):
    """A file that arrives in parts. `size` and `sha256` are what was announced; `parts` is what has arrived."""

    id: UUID
    file_name: str | None
    size: int | None
    sha256: str | None
    import_id: UUID | None
    received_size: int
    largest_part: int
    parts: list[UploadPart]
    created_by: UUID | None
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


def upload_operations() -> list[Operation]:
    tag, many = "uploads", f"{WORKSPACE}/uploads"
    one = f"{many}/{{id}}"
    part: dict[str, Any] = {"openapi": _RAW, "problems": (400, 409, 413, 503)}
    return [
        Operation("POST", many, _create, "Begin an upload", tag, "member", {201: Upload}, body=UploadCreate),
        Operation("GET", one, _get, "Get an upload", tag, "member", {200: Upload}),
        Operation("DELETE", one, _delete, "Give an upload up", tag, "member", {204: None}, problems=(409,)),
        Operation("PUT", f"{one}/parts/{{n}}", _put, "Send a part", tag, "member", {200: UploadPart}, **part),
    ]


_RAW = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


async def _create(call: Call) -> Response:
    """Send the parts next, then name the upload in `POST /imports`."""
    asked: UploadCreate = call.body
    sha256 = asked.sha256.lower() if asked.sha256 else None
    async with call.transaction() as tx:
        row = await uploads.begin(tx, file_name=asked.file_name, size=asked.size, sha256=sha256)
    return json(encode(_document(call, row, [])), 201, call.location(row["id"]))


async def _get(call: Call) -> Response:
    """What has arrived, so that a client that was interrupted sends only the rest."""
    async with call.transaction() as tx:
        row = await uploads.one(tx, call.path["id"])
        parts = await uploads.parts(tx, row["id"])
    return json(encode(_document(call, row, parts)))


async def _delete(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await uploads.unused(tx, call.path["id"])
        keys = await uploads.remove(tx, [row["id"]])
    for key in keys:
        await discard(call.services.files, key)
    return no_content()


async def _put(call: Call) -> Response:
    """Parts are numbered from 1 in the order of the file, and come in any order; one that is sent again replaces."""
    services, limit = call.services, call.services.max_upload_bytes
    declared = call.request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    async with call.transaction() as tx:
        await uploads.unused(tx, call.path["id"])  # told before the part is read
    number = _number(call.path["n"])
    with _temporary_file() as file:
        sha256 = await _receive(call.request, file, limit)
        await gate.admit_again(call.request, services, "member")
        part = await uploads.keep_part(
            services.database, services.files, call.caller, call.path["id"], number, file, sha256
        )
    return json(encode(_shown(part)))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MAX_PARTS:
        raise Invalid(FieldError("n", "out_of_range", f"the number of a part must be from 1 to {MAX_PARTS}"))
    return int(text)


@contextmanager
def _temporary_file() -> Iterator[BinaryIO]:
    with room_for("the server's temporary directory has no room for the part"), TemporaryFile() as file:
        yield file


async def _receive(request: Request, file: BinaryIO, limit: int) -> str:
    """Writes the body to the file, and answers its SHA-256."""
    hashed, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        hashed.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    file.seek(0)
    return hashed.hexdigest()


def _too_large(limit: int) -> TooLarge:
    return TooLarge("part_too_large", f"a part may have at most {limit} bytes: cut the file into smaller ones")


def _document(call: Call, row: Row, parts: list[Part]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "file_name": row["file_name"],
        "size": row["size"],
        "sha256": row["sha256"],
        "import_id": row["used_by"],
        "received_size": sum(part.size for part in parts),
        "largest_part": call.services.max_upload_bytes,
        "parts": [_shown(part) for part in parts],
        "created_by": row["created_by"],
        **{name: write_timestamp(row[name]) for name in ("expires_at", "created_at", "updated_at")},
    }


def _shown(part: Part) -> dict[str, Any]:
    return {"number": part.number, "size": part.size, "sha256": part.sha256}
