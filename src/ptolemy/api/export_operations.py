"""Exports over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AliasChoices, Field, WithJsonSchema, create_model
from starlette.responses import Response

from ptolemy.api.file_operations import signed_address
from ptolemy.api.job_operations import JobHandlers, job_operations
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE
from ptolemy.api.resource_types import ResourceType, admit_to_type
from ptolemy.api.services import Call
from ptolemy.catalogue import WHOLE_WORKSPACE, asker_of
from ptolemy.database.transaction import Row
from ptolemy.engine import render
from ptolemy.engine.filters import Condition
from ptolemy.engine.schemas import Body, schemas
from ptolemy.exports.cells import Numbers
from ptolemy.exports.download import FILES, served_as
from ptolemy.exports.requests import Compression, cancel_export, request_export
from ptolemy.exports.resource import Exports
from ptolemy.formats.detection import Format
from ptolemy.kernel.actors import allows
from ptolemy.kernel.problems import FieldError, Invalid


class ExportRequest(Body):
    resource_type: Annotated[ResourceType, Field(validation_alias=AliasChoices("resource_type", "object_type"))]
    format: Format = "json"
    compression: Compression | None = None
    numbers: Numbers | None = None
    include_archived: bool = False
    filter: Condition | None = None


_models = schemas(Exports)
_Address = Annotated[Any, WithJsonSchema({"type": ["string", "null"]})]
ExportJob = create_model(
    "ExportJob",
    __base__=_models.record,
    download_url=(_Address, ...),
    expires_at=(_Address, ...),
    warnings=(list[str], []),
)
ExportPage = create_model("ExportPage", __base__=_models.page, data=(list[ExportJob], ...))  # type: ignore[valid-type] # made a line above


def export_operations() -> list[Operation]:
    return [
        Operation(
            "POST",
            f"{WORKSPACE}/exports",
            _create,
            "Export records",
            "exports",
            "member",
            {202: ExportJob},
            body=ExportRequest,
        ),
        *job_operations(_JOBS, ExportJob, ExportPage, reads="viewer", cancels="member"),
    ]


class ExportHandlers(JobHandlers):
    async def document(self, call: Call, row: Row) -> dict[str, Any]:
        """The job; for those who may read as much, with an address for its file signed just now."""
        document = render.document(Exports, row) | {"download_url": None, "expires_at": None}
        kept = row["file_expires_at"] is not None and row["file_expires_at"] > datetime.now(UTC)
        # A whole workspace is for those who may export it; all else every reader may read anyway.
        may_read = row["resource_type"] != WHOLE_WORKSPACE or allows(call.signed_in.role, asker_of(WHOLE_WORKSPACE))
        if row["status"] == "completed" and kept and may_read:
            signed = await signed_address(call, FILES.key_of(row), served_as(row))
            document["download_url"], document["expires_at"] = signed
        return document


_JOBS = ExportHandlers(Exports, "exports", cancel_export)


async def _create(call: Call) -> Response:
    """A whole workspace is always one ZIP with everything in it, and takes no options."""
    asked = call.body
    admit_to_type(call, asked.resource_type)
    if asked.resource_type == WHOLE_WORKSPACE:
        _refuse_options(asked)
    async with call.transaction() as tx:
        whole = asked.resource_type == WHOLE_WORKSPACE
        row, warnings = await request_export(
            tx,
            asked.resource_type,
            "zip" if whole else asked.format,
            asked.compression,
            numbers=asked.numbers,
            include_archived=whole or asked.include_archived,
            condition=asked.filter,
        )
    return await _JOBS.accepted(call, row, warnings)


def _refuse_options(asked: ExportRequest) -> None:
    chosen = asked.model_fields_set - {"resource_type"} - ({"include_archived"} if asked.include_archived else set())
    if chosen:
        message = "must be left out: a whole workspace is one ZIP with everything in it, archived records too"
        raise Invalid(*(FieldError(name, "not_for_workspace", message) for name in sorted(chosen)))
