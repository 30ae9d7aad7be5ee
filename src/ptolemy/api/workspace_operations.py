"""Workspaces over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.accounts import workspaces
from ptolemy.accounts.removal import remove_workspace
from ptolemy.api.account_pages import PageQuery, page
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.catalogue import seed
from ptolemy.database.transaction import Row
from ptolemy.engine.schemas import Body, PageOf
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.json import encode
from ptolemy.kernel.timestamps import write_timestamp


class WorkspaceCreate(Body):
    slug: str
    name: str | None = None


class WorkspacePatch(Body):
    name: str = ""


class WorkspaceRemoval(Body):
    confirm: str


class Workspace(BaseModel):
    """What one tenant owns; `role` is the caller's."""

    id: UUID
    slug: str
    name: str
    plan: str
    role: str
    created_at: datetime
    updated_at: datetime


class WorkspacePage(PageOf[Workspace]):
    pass


def workspace_operations() -> list[Operation]:
    tag, many, one = "workspaces", "/v1/workspaces", "/v1/workspaces/{workspace}"
    answer: dict[int, type[BaseModel] | None] = {200: Workspace}
    return [
        Operation("GET", many, listing, "List my workspaces", tag, "signed_in", {200: WorkspacePage}, query=PageQuery),
        Operation(
            "POST",
            many,
            create,
            "Create a workspace",
            tag,
            "human",
            {201: Workspace},
            body=WorkspaceCreate,
            problems=(409,),
        ),
        Operation("GET", one, get, "Get a workspace", tag, "viewer", answer),
        Operation("PATCH", one, patch, "Rename a workspace", tag, "admin", answer, body=WorkspacePatch),
        Operation(
            "DELETE",
            one,
            remove,
            "Remove a workspace and all that it holds, for ever",
            tag,
            "admin",
            {204: None},
            query=WorkspaceRemoval,
        ),
    ]


async def listing(call: Call) -> Response:
    async with call.services.database.session() as session:
        return await page(
            call,
            "workspaces",
            lambda after, limit: workspaces.workspaces_of(session, call.signed_in.user_id, after=after, limit=limit),
            lambda row: shown(row, row["role"]),
        )


async def create(call: Call) -> Response:
    caller = replace(call.caller, workspace_id=uuid7())
    async with call.transaction(caller) as tx:
        row = await workspaces.create_workspace(
            tx, call.body.slug, call.body.name, creator=call.signed_in.user_id, seed=seed
        )
    return json(encode(shown(row, "admin")), 201, call.location(row["id"]))


async def get(call: Call) -> Response:
    async with call.services.database.session() as session:
        row = await workspaces.workspace(session, call.caller.workspace_id)
    return json(encode(shown(row, call.signed_in.role)))


async def patch(call: Call) -> Response:
    async with call.transaction() as tx:
        if "name" in call.sent():
            row = await workspaces.rename_workspace(tx, call.body.name)
        else:
            row = await workspaces.workspace(tx, tx.workspace_id)
    return json(encode(shown(row, call.signed_in.role)))


async def remove(call: Call) -> Response:
    """`confirm` is the workspace's slug. Nobody gets at it from now on; what it held is removed within moments."""
    async with call.transaction() as tx:
        await remove_workspace(tx, call.query.confirm)
    return no_content()


def shown(row: Row, role: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        "slug": row["slug"],
        "name": row["name"],
        "plan": row["plan"],
        "role": role,
        "created_at": write_timestamp(row["created_at"]),
        "updated_at": write_timestamp(row["updated_at"]),
    }
