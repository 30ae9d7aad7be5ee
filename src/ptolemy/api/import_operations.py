"""Imports over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, create_model
from starlette.datastructures import UploadFile
from starlette.responses import Response, StreamingResponse

from ptolemy.api import gate, idempotency
from ptolemy.api.accepted import CSV, JSON, preferred
from ptolemy.api.answers import json
from ptolemy.api.bodies import validated
from ptolemy.api.job_operations import JobHandlers, job_operations
from ptolemy.api.multipart import Form, form_schema, read_form, too_large
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE
from ptolemy.api.resource_types import ResourceType, admit_to_type
from ptolemy.api.services import Call
from ptolemy.catalogue import WHOLE_WORKSPACE
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import lookup, read, render
from ptolemy.engine.read import Page
from ptolemy.engine.schemas import Body, PageOf, schemas
from ptolemy.files import uploads
from ptolemy.files.store import discard
from ptolemy.formats.csv import CsvWriter, guard
from ptolemy.imports.requests import OnError, Options, Upload, cancel_import, file_key, first_errors, request_import
from ptolemy.imports.resource import Imports
from ptolemy.imports.source import let_go
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid, NotFound

FIRST_ERRORS = 100
ERRORS_AT_ONCE = 1000
ERROR_COLUMNS = ("row", "line", "field", "code", "message")


class ImportRequest(Body):
    resource_type: ResourceType
    on_error: OnError = "abort"
    identifier_column: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    dry_run: bool = False
    into_existing: bool = False
    upload_id: UUID | None = None


class RowError(BaseModel):
    row: int
    line: int | None
    field: str | None
    code: str
    message: str


class RowErrorPage(PageOf[RowError]):
    pass


class ErrorsQuery(Body):
    limit: Annotated[int, Field(ge=1)] = 50
    after: str | None = None


_models = schemas(Imports)
ImportJob = create_model("ImportJob", __base__=_models.record, errors=(list[RowError], ...), warnings=(list[str], []))


def import_operations() -> list[Operation]:
    base = f"{WORKSPACE}/imports"
    form: dict[str, Any] = {
        "openapi": form_schema(ImportRequest),
        "problems": (400, 409, 413, 415, 422, 503, 507),
        "keyed": "by_handler",
        "find": _form,
    }
    listing, getting, cancelling = job_operations(_JOBS, ImportJob, _models.page, reads="viewer", cancels="member")
    return [
        Operation("POST", base, _create, "Import a file", "imports", "member", {202: ImportJob}, **form),
        listing,
        getting,
        replace(cancelling, keyed="by_handler"),
        Operation(
            "GET",
            f"{base}/{{id}}/errors",
            _errors,
            "List the failed rows of an import",
            "imports",
            "viewer",
            {200: RowErrorPage},
            query=ErrorsQuery,
            find=_JOBS.find,
            openapi={"responses": {"200": {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
        ),
    ]


class ImportHandlers(JobHandlers):
    """One import is shown with its first errors, a list of them without."""

    async def get(self, call: Call) -> Response:
        async with call.transaction() as tx:
            document = await _document(tx, await lookup.one(tx, Imports, call.path["id"]))
        return json(encode(document))

    async def cancel(self, call: Call) -> Response:
        cancelled: Row | None = None

        async def cancel(call: Call) -> Response:
            nonlocal cancelled
            async with call.transaction() as tx:
                cancelled = await cancel_import(tx, call.path["id"])
                document = await _document(tx, cancelled)
            return json(encode(document))

        answer = await idempotency.once(call, b"", cancel)
        # Only now is it committed: an import that goes on needs its file.
        if cancelled and cancelled["status"] == "cancelled":
            await let_go(call.services.database, call.services.files, call.caller, cancelled["id"])
        return answer


_JOBS = ImportHandlers(Imports, "imports", cancel_import)


async def _create(call: Call) -> Response:
    """The file is kept and the import waits for its turn: ask at `Location` how far it has come."""
    form = await _form(call)
    await gate.admit_again(call.request, call.services, "member")
    if "file" in form.fields:
        message = "must be sent as a file, with its name: curl -F file=@prices.csv"
        raise Invalid(FieldError("file", "required", message))
    asked: ImportRequest = validated(ImportRequest, form.fields)
    admit_to_type(call, asked.resource_type)
    _refuse_options(asked)
    if asked.upload_id is not None:
        if form.files:
            raise Invalid(FieldError("upload_id", "beside_file", "takes the place of the file: send either"))
        said = encode(sorted(form.fields.items()))
        return await idempotency.once(call, said, partial(_from_upload, asked=asked))
    file = form.files.get("file")
    if file is None or len(form.files) > 1:
        raise Invalid(FieldError("file", "required", "the form must carry one file, named file, or upload_id"))
    # The file goes to the store first, so that the job finds it whatever becomes of this process.
    upload = await _stored(call, file)

    async def request(call: Call) -> Response:
        async with call.transaction() as tx:
            row, warnings = await request_import(tx, asked.resource_type, _options(asked), upload)
            document = await _document(tx, row)
        return json(encode(document | render.warned(warnings)), 202, call.location(row["id"]))

    answer = None
    try:
        answer = await idempotency.once(call, _content(form, upload), request)
        return answer
    finally:
        if answer is None or idempotency.is_replayed(answer):
            await discard(call.services.files, file_key(call.caller.workspace_id, upload.import_id))


def _refuse_options(asked: ImportRequest) -> None:
    whole = asked.resource_type == WHOLE_WORKSPACE
    if whole and asked.on_error != "abort" and not asked.into_existing:
        message = "must be abort, unless into_existing: an empty workspace is restored whole or not"
        raise Invalid(FieldError("on_error", "not_for_workspace", message))
    if whole and asked.identifier_column:
        message = "must be left out: a workspace is restored by the ids of its records"
        raise Invalid(FieldError("identifier_column", "not_for_workspace", message))
    if asked.into_existing and not whole:
        raise Invalid(FieldError("into_existing", "for_workspace", "is for the resource type workspace alone"))


async def _form(call: Call) -> Form:
    return await read_form(call.request, file_limit_bytes=call.services.max_upload_bytes)


def _content(form: Form, upload: Upload) -> bytes:
    """What tells one form from another: boundaries don't, and the file is told by its digest."""
    return encode([sorted(form.fields.items()), upload.file_name, upload.sha256])


def _options(asked: ImportRequest) -> Options:
    return Options(asked.on_error, asked.identifier_column, asked.dry_run, asked.into_existing)


async def _from_upload(call: Call, asked: ImportRequest) -> Response:
    """What arrived in parts is looked at as a whole first; the job then reads it where it lies."""
    key = str(asked.upload_id)
    async with call.transaction() as tx:
        found = await known_upload(tx, key)
        parts = await uploads.whole(tx, found)
    # No transaction is held meanwhile: it may be gigabytes.
    sha256 = await uploads.digest(call.services.files, found, parts)
    upload = Upload(uuid7(), found["file_name"], sum(part.size for part in parts), sha256)
    async with call.transaction() as tx:
        await uploads.use(tx, key, parts, upload.import_id)
        row, warnings = await request_import(tx, asked.resource_type, _options(asked), upload)
        document = await _document(tx, row)
    return json(encode(document | render.warned(warnings)), 202, call.location(row["id"]))


async def known_upload(tx: Transaction, key: str) -> Row:
    """The upload that a body names, held; a 422 where there is none."""
    try:
        return await uploads.unused(tx, key)
    except NotFound:
        raise Invalid(FieldError("upload_id", "unknown_reference", f"no upload {key!r} here")) from None


async def _stored(call: Call, file: UploadFile) -> Upload:
    size, limit = file.size or 0, call.services.max_upload_bytes
    if size > limit:
        raise too_large(limit)
    import_id = uuid7()
    digest = await asyncio.to_thread(hashlib.file_digest, file.file, "sha256")  # type: ignore[arg-type] # a spooled file reads like one
    await file.seek(0)
    await call.services.files.put(file_key(call.caller.workspace_id, import_id), file.file)
    return Upload(import_id, file.filename, size, digest.hexdigest())


async def _errors(call: Call) -> Response:
    """In the order of the file: a page as JSON, or all of them at once for `Accept: text/csv`."""
    if preferred(call.request.headers.get("accept", ""), (JSON, CSV)) == CSV:
        return await _errors_file(call)
    asked, cursors = call.query, call.services.cursors
    limit, cut = read.cut_limit(asked.limit)
    async with call.transaction() as tx:
        job = await lookup.one(tx, Imports, call.path["id"])
        bound = [str(tx.workspace_id), "import_errors", str(job["id"])]
        after = None
        if asked.after is not None:
            row, last = cursors.read(bound, asked.after)
            after = (int(row), UUID(last))
        found = await first_errors(tx, job["id"], limit=limit + 1, after=after)
    rows = found[:limit]
    cursor = cursors.write(bound, [rows[-1]["row"], str(rows[-1]["id"])]) if len(found) > limit else None
    answer = json(render.envelope([_error(row) for row in rows], Page(rows, cursor, cut)))
    answer.headers["Vary"] = "Accept"
    return answer


async def _errors_file(call: Call) -> Response:
    paged = sorted(call.query.model_fields_set)
    if paged:
        raise Invalid(*(FieldError(name, "unknown_field", "is for pages: CSV has every row") for name in paged))
    async with call.transaction() as tx:
        job = await lookup.one(tx, Imports, call.path["id"])
    return StreamingResponse(_csv(call, job["id"]), media_type="text/csv", headers={"Vary": "Accept"})


async def _csv(call: Call, import_id: UUID) -> AsyncIterator[bytes]:
    """The file, a batch at a time: no connection is held while a slow client reads."""
    part = BytesIO()
    writer, after = CsvWriter(part, ERROR_COLUMNS), None
    while True:
        async with call.transaction() as tx:
            rows = await first_errors(tx, import_id, limit=ERRORS_AT_ONCE, after=after)
        writer.write(_cells(row) for row in rows)
        yield part.getvalue()
        if len(rows) < ERRORS_AT_ONCE:
            return
        after = rows[-1]["row"], rows[-1]["id"]
        part.seek(0)
        part.truncate()


def _cells(row: Row) -> list[str | None]:
    line = None if row["line"] is None else str(row["line"])
    return [str(row["row"]), line, *(guard(row[name]) for name in ("field", "code", "message"))]


async def _document(tx: Transaction, row: Row) -> dict[str, Any]:
    errors = await first_errors(tx, row["id"], limit=FIRST_ERRORS) if row["rows_failed"] else []
    return render.document(Imports, row) | {"errors": [_error(error) for error in errors]}


def _error(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ERROR_COLUMNS}
