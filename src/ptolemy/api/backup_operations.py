"""Backup policies and their runs over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, WithJsonSchema, create_model
from starlette.responses import Response

from ptolemy.api import conditions
from ptolemy.api.answers import json
from ptolemy.api.file_operations import signed_address
from ptolemy.api.job_operations import JobHandlers, job_operations
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, Handlers, list_query, resource_operations
from ptolemy.api.services import Call
from ptolemy.backups.policies import LONGEST_NAME, BackupPolicies
from ptolemy.backups.resource import Backups
from ptolemy.backups.retention import planned
from ptolemy.backups.run import SERVED_AS
from ptolemy.backups.runs import OWN_FILES, cancel_backup, request_backup
from ptolemy.database.transaction import Row
from ptolemy.engine import lookup, render, write
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
        Operation(
            "POST",
            f"{WORKSPACE}/backups",
            _create,
            "Back up now",
            "backups",
            "editor",
            {202: Backup},
            body=BackupRequest,
        ),
        *job_operations(_JOBS, Backup, BackupPage, reads="member", cancels="editor"),
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


class BackupHandlers(JobHandlers):
    async def list(self, call: Call) -> Response:
        """The newest first."""
        return await self.page(call, replace(list_query(Backups, call.query), sort=[("id", "desc")]))

    async def document(self, call: Call, row: Row) -> dict[str, Any]:
        """The run; for those who may export the workspace, with an address for its file where the server has it.

        Where it lies is for those who may read its policy.
        """
        document = render.document(Backups, row) | {"download_url": None, "download_expires_at": None}
        kept = row["file_expires_at"] is not None and row["file_expires_at"] > call.services.backups.now()
        if kept and allows(call.signed_in.role, "editor"):
            signed = await signed_address(call, OWN_FILES.key_of(row), SERVED_AS)
            document["download_url"], document["download_expires_at"] = signed
        return document if allows(call.signed_in.role, "admin") else document | _without_place(row)


def _without_place(run: Row) -> dict[str, Any]:
    """What of a run is told otherwise to who may not know where it lies: a destination that fails names itself."""
    hidden: dict[str, Any] = {"destination": None, "location": None}
    on_its_way = run["destination"] is not None and run["sha256"] is not None and run["location"] is None
    if on_its_way and run["error"] is not None:
        hidden["error"] = "the backup didn't get to its destination: admins are told why"
    return hidden


_JOBS = BackupHandlers(Backups, "backups", cancel_backup)


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
    return await _JOBS.accepted(call, row)
