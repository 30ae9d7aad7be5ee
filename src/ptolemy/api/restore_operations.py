"""Restores of backups into new workspaces over HTTP."""

from __future__ import annotations

from typing import Any

from pydantic import create_model
from starlette.responses import Response

from ptolemy.api.answers import json
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, list_query
from ptolemy.api.services import Call
from ptolemy.backups.resource import Backups
from ptolemy.backups.restore_requests import cancel_restore, request_restore
from ptolemy.backups.restore_resource import BackupRestores
from ptolemy.engine import lookup, read, render
from ptolemy.engine.schemas import Body, schemas
from ptolemy.kernel.json import encode


class RestoreRequest(Body):
    slug: str
    name: str | None = None


_models = schemas(BackupRestores)
RestoreJob = create_model("RestoreJob", __base__=_models.record, warnings=(list[str], []))


def restore_operations() -> list[Operation]:
    base, tag = f"{WORKSPACE}/backups", "backups"
    one: dict[str, Any] = {"answers": {200: RestoreJob}, "find": _find}
    return [
        Operation(
            "POST",
            f"{base}/{{id}}/restore",
            _create,
            "Restore a backup into a new workspace",
            tag,
            "admin",
            {202: RestoreJob},
            body=RestoreRequest,
            find=_find_backup,
        ),
        Operation(
            "GET", f"{base}/restores", _list, "List restores", tag, "member", {200: _models.page}, query=_models.query
        ),
        Operation("GET", f"{base}/restores/{{id}}", _get, "Get a restore", tag, "member", **one),
        Operation("POST", f"{base}/restores/{{id}}/cancel", _cancel, "Cancel a restore", tag, "admin", **one),
    ]


async def _create(call: Call) -> Response:
    """The slug is taken from now on; whoever asks is admin of the new workspace, once all of it is there."""
    async with call.transaction() as tx:
        row = await request_restore(call.services.database, tx, call.path["id"], call.body.slug, call.body.name)
    base = call.request.url.path.rsplit("/", 2)[0]
    location = f"{call.services.public_path}{base}/restores/{row['id']}"
    return json(encode(render.document(BackupRestores, row)), 202, {"Location": location})


async def _find_backup(call: Call) -> None:
    async with call.transaction() as tx:
        await lookup.one(tx, Backups, call.path["id"])


async def _list(call: Call) -> Response:
    async with call.transaction() as tx:
        page = await read.page(tx, BackupRestores, list_query(BackupRestores, call.query), call.services.cursors)
    return json(render.listing(BackupRestores, page))


async def _find(call: Call) -> None:
    async with call.transaction() as tx:
        await lookup.one(tx, BackupRestores, call.path["id"])


async def _get(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await lookup.one(tx, BackupRestores, call.path["id"])
    return json(encode(render.document(BackupRestores, row)))


async def _cancel(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await cancel_restore(tx, call.path["id"])
    return json(encode(render.document(BackupRestores, row)))
