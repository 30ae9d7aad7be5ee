"""Rehearsals of backups over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, create_model
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.import_operations import known_upload
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, list_query
from ptolemy.api.services import Call
from ptolemy.backups.rehearsal_requests import cancel_rehearsal, request_for_backup, request_for_upload
from ptolemy.backups.rehearsal_resource import Rehearsals
from ptolemy.database.transaction import Row
from ptolemy.engine import lookup, read, render
from ptolemy.engine.schemas import Body, schemas
from ptolemy.files import uploads
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid, NotFound

_Key = Annotated[str, Field(min_length=1, max_length=200)]


class RehearsalRequest(Body):
    """Either of the two."""

    backup_id: _Key | None = None
    upload_id: _Key | None = None


_models = schemas(Rehearsals)
RehearsalJob = create_model("RehearsalJob", __base__=_models.record, warnings=(list[str], []))


def rehearsal_operations() -> list[Operation]:
    base, tag = f"{WORKSPACE}/backups", "backups"
    one: dict[str, Any] = {"answers": {200: RehearsalJob}, "find": _find}
    return [
        Operation(
            "POST",
            f"{base}/rehearse",
            _create,
            "Rehearse a backup",
            tag,
            "member",
            {202: RehearsalJob},
            body=RehearsalRequest,
            problems=(409, 503),
        ),
        Operation(
            "GET",
            f"{base}/rehearsals",
            _list,
            "List rehearsals",
            tag,
            "viewer",
            {200: _models.page},
            query=_models.query,
        ),
        Operation("GET", f"{base}/rehearsals/{{id}}", _get, "Get a rehearsal", tag, "viewer", **one),
        Operation("POST", f"{base}/rehearsals/{{id}}/cancel", _cancel, "Cancel a rehearsal", tag, "member", **one),
    ]


async def _create(call: Call) -> Response:
    """Restores a workspace's archive into a scratch workspace that nobody sees, exports it again, and compares."""
    asked: RehearsalRequest = call.body
    if (asked.upload_id is None) == (asked.backup_id is None):
        code = "required" if asked.upload_id is None else "beside_backup"
        raise Invalid(FieldError("upload_id", code, "name either a backup, or an upload of a workspace's archive"))
    row = await _of_upload(call, asked.upload_id) if asked.upload_id else await _of_backup(call, str(asked.backup_id))
    location = f"{call.request.url.path.rpartition('/')[0]}/rehearsals/{row['id']}"
    return json(encode(render.document(Rehearsals, row)), 202, {"Location": f"{call.services.public_path}{location}"})


async def _of_backup(call: Call, key: str) -> Row:
    async with call.transaction() as tx:
        try:
            return await request_for_backup(tx, key)
        except NotFound as problem:
            raise Invalid(FieldError("backup_id", "unknown_reference", problem.detail)) from None


async def _of_upload(call: Call, key: str) -> Row:
    async with call.transaction() as tx:
        upload = await known_upload(tx, key)
        parts = await uploads.whole(tx, upload)
    # No transaction is held meanwhile: it may be gigabytes.
    sha256 = await uploads.digest(call.services.files, upload, parts)
    async with call.transaction() as tx:
        return await request_for_upload(tx, upload, parts, sha256)


async def _list(call: Call) -> Response:
    async with call.transaction() as tx:
        page = await read.page(tx, Rehearsals, list_query(Rehearsals, call.query), call.services.cursors)
    return json(render.listing(Rehearsals, page))


async def _find(call: Call) -> None:
    async with call.transaction() as tx:
        await lookup.one(tx, Rehearsals, call.path["id"])


async def _get(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await lookup.one(tx, Rehearsals, call.path["id"])
    return json(encode(render.document(Rehearsals, row)))


async def _cancel(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await cancel_rehearsal(tx, call.path["id"])
    return json(encode(render.document(Rehearsals, row)))
