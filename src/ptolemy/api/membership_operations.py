"""The members of a workspace over HTTP."""

from __future__ import annotations

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.accounts import memberships
from ptolemy.accounts.memberships import Check
from ptolemy.api import conditions
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import Handlers, read_operations
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine import render
from ptolemy.engine.etags import etag_of
from ptolemy.engine.schemas import Body, schemas
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.problems import Forbidden
from ptolemy.resources.memberships import Memberships

MEMBERSHIPS = "/v1/workspaces/{workspace}/memberships"


class MembershipPatch(Body):
    role: str = ""


def membership_operations() -> list[Operation]:
    tag, one, mine = "memberships", f"{MEMBERSHIPS}/{{id}}", f"{MEMBERSHIPS}/me"
    answer: dict[int, type[BaseModel] | None] = {200: schemas(Memberships).record}
    find = Handlers(Memberships()).find_deletable
    return [
        Operation("GET", mine, get_mine, "Get my membership", tag, "viewer", answer, problems=(404,)),
        Operation("DELETE", mine, leave, "Leave the workspace", tag, "viewer", {204: None}, problems=(409,)),
        *read_operations(Memberships(), access="admin"),
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
            find=find,
            versioned=True,
        ),
        Operation(
            "DELETE",
            one,
            delete,
            "Remove a member",
            tag,
            "admin",
            {204: None},
            problems=(409,),
            find=find,
            versioned=True,
        ),
    ]


async def get_mine(call: Call) -> Response:
    async with call.transaction() as tx:
        return _answer(await memberships.membership_of(tx, call.signed_in.user_id))


async def leave(call: Call) -> Response:
    """For people: a robot belongs to its workspace for as long as it is there."""
    if call.caller.actor.type != "human":
        raise Forbidden("humans_only", "a robot doesn't leave: an admin removes it")
    async with call.transaction() as tx:
        mine = await memberships.membership_of(tx, call.signed_in.user_id)
        await memberships.remove_member(tx, mine["id"])
    return no_content()


async def patch(call: Call) -> Response:
    membership_id, expected = as_uuid(call.path["id"]), _expected(call)
    async with call.transaction() as tx:
        if "role" in call.sent():
            row = await memberships.change_role(tx, membership_id, call.body.role, expected=expected)
        else:
            row = await memberships.membership(tx, membership_id)
            expected(row)
    return _answer(row)


async def delete(call: Call) -> Response:
    async with call.transaction() as tx:
        await memberships.remove_member(tx, as_uuid(call.path["id"]), expected=_expected(call))
    return no_content()


def _expected(call: Call) -> Check:
    named = conditions.expected(call.request)
    return lambda row: named.check(Memberships, row)


def _answer(row: Row) -> Response:
    record = render.record(Memberships, row)
    return json(record, headers={"ETag": etag_of(record)})
