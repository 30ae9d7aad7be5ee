"""The members of a workspace over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.accounts import memberships
from ptolemy.api.account_pages import PageQuery, page
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine.schemas import Body, Meta
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.json import encode
from ptolemy.kernel.timestamps import write_timestamp

MEMBERSHIPS = "/v1/workspaces/{workspace}/memberships"


class MembershipPatch(Body):
    role: str = ""


class Membership(BaseModel):
    """A person or a robot in a workspace; `email` is null for a robot."""

    id: UUID
    user_id: UUID
    type: str
    email: str | None
    name: str | None
    role: str
    created_at: datetime
    updated_at: datetime


class MembershipPage(BaseModel):
    data: list[Membership]
    meta: Meta
    warnings: list[str] = []


def membership_operations() -> list[Operation]:
    tag, one = "memberships", f"{MEMBERSHIPS}/{{id}}"
    answer: dict[int, type[BaseModel] | None] = {200: Membership}
    return [
        Operation("GET", MEMBERSHIPS, listing, "List members", tag, "admin", {200: MembershipPage}, query=PageQuery),
        Operation("GET", one, get, "Get a member", tag, "admin", answer, find=get),
        Operation(
            "PATCH",
            one,
            patch,
            "Change a member's role",
            tag,
            "admin",
            answer,
            body=MembershipPatch,
            problems=(409,),
            find=get,
        ),
        Operation("DELETE", one, delete, "Remove a member", tag, "admin", {204: None}, problems=(409,), find=get),
    ]


async def listing(call: Call) -> Response:
    async with call.transaction() as tx:
        return await page(
            call, "memberships", lambda after, limit: memberships.memberships(tx, after=after, limit=limit), shown
        )


async def get(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await memberships.membership(tx, as_uuid(call.path["id"]))
    return json(encode(shown(row)))


async def patch(call: Call) -> Response:
    membership_id = as_uuid(call.path["id"])
    async with call.transaction() as tx:
        if "role" in call.sent():
            row = await memberships.change_role(tx, membership_id, call.body.role)
        else:
            row = await memberships.membership(tx, membership_id)
    return json(encode(shown(row)))


async def delete(call: Call) -> Response:
    async with call.transaction() as tx:
        await memberships.remove_member(tx, as_uuid(call.path["id"]))
    return no_content()


def shown(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "type": row["kind"],
        "email": row["email"],
        "name": row["name"],
        "role": row["role"],
        "created_at": write_timestamp(row["created_at"]),
        "updated_at": write_timestamp(row["updated_at"]),
    }
