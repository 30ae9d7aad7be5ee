"""Backup policies and their runs over HTTP."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, WithJsonSchema, create_model
from starlette.responses import Response

from ptolemy.api import conditions
from ptolemy.api.answers import json
from ptolemy.api.export_operations import GOOD_FOR_SECONDS, signed_address
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, Handlers, list_query, resource_operations
from ptolemy.api.services import Call
from ptolemy.backups.policies import LONGEST_NAME, BackupPolicies
from ptolemy.backups.resource import Backups
from ptolemy.backups.retention import planned
from ptolemy.backups.run import SERVED_AS
from ptolemy.backups.runs import cancel_backup, own_key, request_backup
from ptolemy.database.transaction import Row
from ptolemy.engine import lookup, read, render, write
from ptolemy.engine.schemas import Body, schemas
from ptolemy.kernel.actors import allows
from ptolemy.kernel.json import encode
from ptolemy.kernel.timestamps import write_timestamp


class BackupRequest(Body):
    policy_id: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)] | None = None
    verify: Literal["never", "hashes", "rehearse"] | None = None


_models = schemas(Backups)
_Text = Annotated[Any, WithJsonSchema({"type": ["string", "null"]})]
Backup = create_model("BackupRun", __base__=_models.record, download_url=(_Text, ...), download_expires_at=(_Text, ...))
BackupPage = create_model("BackupRunPage", __base__=_models.page, data=(list[Backup], ...))  # type: ignore[valid-type] # made a line above


class PrunedBackup(BaseModel):
    id: UUID
    location: str
    taken_at: datetime
    reason: str


class SparedBackup(BaseModel):
    id: UUID
    location: str
    taken_at: datetime


class PrunePlan(BaseModel):
    """What retention would remove now, and the last good backup that it would have to remove, and doesn't."""

    data: list[PrunedBackup]
    spared: SparedBackup | None
    kept: int


def backup_operations() -> list[Operation]:
    runs, tag = f"{WORKSPACE}/backups", "backups"
    one: dict[int, type[BaseModel] | None] = {200: Backup}
    policies = [_for_admins(each) for each in resource_operations(BackupPolicies(), PolicyHandlers)]
    return [
        *policies,
        Operation(
            "GET",
            f"{WORKSPACE}/backup-policies/{{id}}/prune",
            _would_prune,
            "See what retention would remove",
            "backup-policies",
            "admin",
            {200: PrunePlan},
        ),
        Operation("POST", runs, _create, "Back up now", tag, "editor", {202: Backup}, body=BackupRequest),
        Operation("GET", runs, _list, "List backups", tag, "member", {200: BackupPage}, query=_models.query),
        Operation("GET", f"{runs}/{{id}}", _get, "Get a backup", tag, "member", one),
        Operation("POST", f"{runs}/{{id}}/cancel", _cancel, "Cancel a backup", tag, "editor", one),
    ]


def _for_admins(operation: Operation) -> Operation:
    """A policy says where backups lie, so its readers are admins too; what only reads takes no `Idempotency-Key`."""
    reads = operation.path.endswith(("/filter", "/count"))
    return replace(operation, access="admin", keyed="never" if reads else operation.keyed)


class PolicyHandlers(Handlers):
    """Policies are written as the server's surroundings allow."""

    async def create(self, call: Call) -> Response:
        async with call.transaction() as tx:
            row = await write.create(tx, BackupPolicies(call.services.backups), call.sent())
            # Read again: only what is read knows its runs.
            row = await lookup.one(tx, BackupPolicies, str(row["id"]))
        return self.answer(row, 201, call.location(row["id"]))

    async def patch(self, call: Call) -> Response:
        expected, resource = conditions.expected(call.request), BackupPolicies(call.services.backups)
        async with call.transaction() as tx:
            row = await write.change(tx, resource, call.path["id"], call.sent(), expected=expected)
            row = await lookup.one(tx, BackupPolicies, str(row["id"]))
        return self.answer(row)


async def _would_prune(call: Call) -> Response:
    async with call.transaction() as tx:
        policy = await lookup.one(tx, BackupPolicies, call.path["id"])
        plan = await planned(tx, policy, call.services.backups.now())
    spared = _placed(plan.spared) if plan.spared else None
    going = [{**_placed(each.run), "reason": each.reason} for each in plan.going]
    return json(encode({"data": going, "spared": spared, "kept": len(plan.kept)}))


def _placed(run: Row) -> dict[str, Any]:
    return {"id": str(run["id"]), "location": run["location"], "taken_at": write_timestamp(run["taken_at"])}


async def _create(call: Call) -> Response:
    """To the destination of a policy, and by its rules; or else into the server's own store, for a download."""
    asked: BackupRequest = call.body
    async with call.transaction() as tx:
        row = await request_backup(tx, asked.policy_id, asked.verify)
    return json(encode(await _document(call, row)), 202, call.location(row["id"]))


async def _list(call: Call) -> Response:
    """The newest first."""
    query = replace(list_query(Backups, call.query), sort=[("id", "desc")])
    async with call.transaction() as tx:
        page = await read.page(tx, Backups, query, call.services.cursors)
    return json(render.envelope([await _document(call, row) for row in page.rows], page))


async def _get(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await lookup.one(tx, Backups, call.path["id"])
    return json(encode(await _document(call, row)))


async def _cancel(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await cancel_backup(tx, call.path["id"])
    return json(encode(await _document(call, row)))


async def _document(call: Call, row: Row) -> dict[str, Any]:
    """The run; for those who may export the workspace, with an address for its file where the server has it."""
    document = render.document(Backups, row) | {"download_url": None, "download_expires_at": None}
    kept = row["file_expires_at"] is not None and row["file_expires_at"] > call.services.backups.now()
    if kept and allows(call.signed_in.role, "editor"):
        expires = int(time.time()) + GOOD_FOR_SECONDS
        key = own_key(row["workspace_id"], row["id"], row["sha256"])
        of_the_store = await call.services.files.address(key, GOOD_FOR_SECONDS)
        document["download_url"] = of_the_store or signed_address(call, key, SERVED_AS, expires)
        document["download_expires_at"] = write_timestamp(datetime.fromtimestamp(expires, UTC))
    return document
