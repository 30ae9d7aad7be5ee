"""Files of jobs at signed addresses: who has one may read the file, without signing in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from pydantic import BaseModel
from starlette.responses import FileResponse, Response

from ptolemy.api.operations import Operation
from ptolemy.api.ranges import settle_range
from ptolemy.api.services import Call
from ptolemy.exports.download import MEDIA_TYPES
from ptolemy.files.store import ServedAs
from ptolemy.kernel.problems import Forbidden, NotFound
from ptolemy.kernel.timestamps import write_timestamp

GOOD_FOR_SECONDS = 15 * 60

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = {
    "content": dict.fromkeys((*(each.partition(";")[0] for each in MEDIA_TYPES.values()), "application/gzip"), _BINARY)
}
_FILE = {"responses": {"200": _CONTENT, "206": _CONTENT}}


def file_operations() -> list[Operation]:
    return [
        _signed("GET", "Download a file by its signed address", _FILE),
        _signed("HEAD", "Look at a file by its signed address", {}),
    ]


def _signed(method: str, summary: str, openapi: Mapping[str, Any]) -> Operation:
    answers: dict[int, type[BaseModel] | None] = {200: None, 206: None}
    return Operation(
        method,
        "/v1/files/{signed}",
        _download,
        summary,
        "exports",
        "anyone",
        answers,
        problems=(403, 404, 416),
        openapi=openapi,
    )


async def signed_address(call: Call, key: str, served_as: ServedAs) -> tuple[str, str]:
    """Where anyone may read the file from now on, and until when: the store's own address, where it has one."""
    expires = int(time.time()) + GOOD_FOR_SECONDS
    address = await call.services.files.address(key, GOOD_FOR_SECONDS)
    if address is None:
        payload = msgspec.json.encode([key, served_as.name, served_as.media_type, expires])
        address = f"{call.address}/v1/files/{call.services.file_signer.sign(payload)}"
    return address, write_timestamp(datetime.fromtimestamp(expires, UTC))


async def _download(call: Call) -> Response:
    """The address is the permission: whoever has it may read the file, for fifteen minutes, also in ranges."""
    payload = call.services.file_signer.open(call.path["signed"])
    if payload is None:
        raise Forbidden("invalid_signature", "this address was not made by this server, or was altered")
    key, name, media_type, expires = msgspec.json.decode(payload)
    if time.time() > expires:
        raise Forbidden("address_expired", "this address has expired: get the export, or the backup, again")
    path = call.services.files.path(key)
    if path is None or not path.exists():
        raise NotFound("file_gone", "the file is kept no longer")
    found = path.stat()
    answer = FileResponse(path, media_type=media_type, filename=name, stat_result=found)
    settle_range(call.request, answer, found.st_size)
    return answer
