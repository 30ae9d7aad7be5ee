"""Rehearsals of backups over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, create_model
from starlette.responses import Response

from ptolemy.api.import_operations import known_upload
from ptolemy.api.job_operations import JobHandlers, job_operations
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE
from ptolemy.api.services import Call
from ptolemy.backups.rehearsals.requests import cancel_rehearsal, request_for_backup, request_for_upload
from ptolemy.backups.rehearsals.resource import Rehearsals
from ptolemy.database.transaction import Row
from ptolemy.engine.schemas import Body, schemas
from ptolemy.files import uploads
from ptolemy.kernel.problems import FieldError, Invalid, NotFound

_Key = Annotated[str, Field(min_length=1, max_length=200)]


class RehearsalRequest(Body):
    """Either of the two."""

    backup_id: _Key | None = None
    upload_id: _Key | None = None


_models = schemas(Rehearsals)
RehearsalJob = create_model("RehearsalJob", __base__=_models.record, warnings=(list[str], []))
_JOBS = JobHandlers(Rehearsals, "backups/rehearsals", cancel_rehearsal)


def rehearsal_operations() -> list[Operation]:
    return [
        Operation(
            "POST",
            f"{WORKSPACE}/backups/rehearse",
            _create,
            "Rehearse a backup",
            "backups",
            "member",
            {202: RehearsalJob},
            body=RehearsalRequest,
            problems=(409, 503),
        ),
        *job_operations(_JOBS, RehearsalJob, _models.page, reads="viewer", cancels="member"),
    ]


async def _create(call: Call) -> Response:
    """Restores a workspace's archive into a scratch workspace that nobody sees, exports it again, and compares."""
    asked: RehearsalRequest = call.body
    if (asked.upload_id is None) == (asked.backup_id is None):
        code = "required" if asked.upload_id is None else "beside_backup"
        raise Invalid(FieldError("upload_id", code, "name either a backup, or an upload of a workspace's archive"))
    row = await _of_upload(call, asked.upload_id) if asked.upload_id else await _of_backup(call, str(asked.backup_id))
    return await _JOBS.accepted(call, row)


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
