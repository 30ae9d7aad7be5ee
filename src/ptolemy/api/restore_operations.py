"""Restores of backups into new workspaces over HTTP."""

from __future__ import annotations

from pydantic import create_model
from starlette.responses import Response

from ptolemy.api.job_operations import JobHandlers, job_operations
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, Handlers
from ptolemy.api.services import Call
from ptolemy.backups.resource import Backups
from ptolemy.backups.restores.requests import cancel_restore, request_restore
from ptolemy.backups.restores.resource import BackupRestores
from ptolemy.engine.schemas import Body, schemas


class RestoreRequest(Body):
    slug: str
    name: str | None = None


_models = schemas(BackupRestores)
RestoreJob = create_model("RestoreJob", __base__=_models.record, warnings=(list[str], []))
_JOBS = JobHandlers(BackupRestores, "backups/restores", cancel_restore)


def restore_operations() -> list[Operation]:
    return [
        Operation(
            "POST",
            f"{WORKSPACE}/backups/{{id}}/restore",
            _create,
            "Restore a backup into a new workspace",
            "backups",
            "admin",
            {202: RestoreJob},
            body=RestoreRequest,
            find=Handlers(Backups()).find,
        ),
        *job_operations(_JOBS, RestoreJob, _models.page, reads="member", cancels="admin"),
    ]


async def _create(call: Call) -> Response:
    """The slug is taken from now on; whoever asks is admin of the new workspace, once all of it is there."""
    async with call.transaction() as tx:
        row = await request_restore(call.services.database, tx, call.path["id"], call.body.slug, call.body.name)
    return await _JOBS.accepted(call, row)
