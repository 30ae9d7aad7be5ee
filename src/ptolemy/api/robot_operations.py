"""Robots and their tokens over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field
from starlette.responses import Response

from ptolemy.accounts import robots, tokens
from ptolemy.api.account_pages import PageQuery, page
from ptolemy.api.answers import json, no_content
from ptolemy.api.membership_operations import MEMBERSHIPS
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine.schemas import Body, PageOf
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.json import encode
from ptolemy.kernel.problems import FieldError, Invalid
from ptolemy.kernel.timestamps import parse_timestamp, write_timestamp

MAX_OVERLAP_SECONDS = 30 * 86_400


class RobotCreate(Body):
    name: str
    role: str = "viewer"


class RobotPatch(Body):
    name: str = ""
    role: str = ""


class Robot(BaseModel):
    """A service account; `id` is its user's, as in paths and events, and `membership_id` is what removes it."""

    id: UUID
    user_id: UUID
    membership_id: UUID
    name: str
    role: str
    created_at: datetime
    updated_at: datetime


class RobotPage(PageOf[Robot]):
    pass


class TokenCreate(Body):
    name: str | None = None
    expires_at: str | None = None


class TokenRotate(Body):
    """How long the old token goes on working, and when the new one ends; by default it lives as long as the old one."""

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 86_400
    expires_at: str | None = None


class Token(BaseModel):
    """What is kept of a token; `state` is `active`, `expired` or `revoked`."""

    id: UUID
    user_id: UUID
    name: str | None
    token_suffix: str
    state: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class NewToken(Token):
    """A new token; `token` is shown this once."""

    token: str


class TokenPage(PageOf[Token]):
    pass


def robot_operations() -> list[Operation]:
    tag, many = "robots", f"{MEMBERSHIPS}/robots"
    one = f"{many}/{{user_id}}"
    of_one = f"{one}/tokens"
    token = f"{of_one}/{{token_id}}"

    def found(answers: Mapping[int, type[BaseModel] | None]) -> dict[str, Any]:
        return {"tag": tag, "access": "admin", "answers": answers, "find": get}

    return [
        Operation("GET", many, listing, "List robots", tag, "admin", {200: RobotPage}, query=PageQuery),
        Operation("POST", many, create, "Create a robot", tag, "admin", {201: Robot}, body=RobotCreate),
        Operation("GET", one, get, "Get a robot", tag, "admin", {200: Robot}, find=get),
        Operation("PATCH", one, patch, "Change a robot", body=RobotPatch, **found({200: Robot})),
        Operation("GET", of_one, list_tokens, "List a robot's tokens", query=PageQuery, **found({200: TokenPage})),
        Operation("POST", of_one, create_token, "Create a token", body=TokenCreate, **found({201: NewToken})),
        Operation("GET", token, get_token, "Get a token", **found({200: Token})),
        Operation(
            "POST",
            f"{token}/rotate",
            rotate_token,
            "Replace a token",
            body=TokenRotate,
            problems=(404, 409),
            **found({201: NewToken}),
        ),
        Operation("DELETE", token, revoke_token, "Revoke a token", **found({204: None})),
    ]


async def listing(call: Call) -> Response:
    async with call.transaction() as tx:
        return await page(
            call,
            "robots",
            lambda after, limit: robots.robots(tx, after=after, limit=limit),
            shown,
        )


async def create(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await robots.create_robot(tx, call.body.name, call.body.role)
    return json(encode(shown(row)), 201, call.location(row["user_id"]))


async def get(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await robots.robot(tx, _robot_id(call))
    return json(encode(shown(row)))


async def patch(call: Call) -> Response:
    sent = call.sent()
    async with call.transaction() as tx:
        row = await robots.change_robot(tx, _robot_id(call), name=sent.get("name"), role=sent.get("role"))
    return json(encode(shown(row)))


async def list_tokens(call: Call) -> Response:
    async with call.transaction() as tx:
        return await page(
            call,
            "tokens",
            lambda after, limit: tokens.tokens(tx, _robot_id(call), after=after, limit=limit),
            shown_token,
        )


async def create_token(call: Call) -> Response:
    expires_at = _instant(call.body.expires_at)
    async with call.transaction() as tx:
        secret, row = await tokens.issue_token(tx, _robot_id(call), name=call.body.name, expires_at=expires_at)
    return _new_token(row, secret, call.location(row["id"]))


async def get_token(call: Call) -> Response:
    async with call.transaction() as tx:
        row = await tokens.token(tx, _robot_id(call), as_uuid(call.path["token_id"]))
    return json(encode(shown_token(row)))


async def rotate_token(call: Call) -> Response:
    """Both tokens work until the overlap ends, so that nothing stands still while the new one is handed out."""
    expires_at, overlap = _instant(call.body.expires_at), timedelta(seconds=call.body.overlap_seconds)
    async with call.transaction() as tx:
        secret, row = await tokens.rotate_token(
            tx, _robot_id(call), as_uuid(call.path["token_id"]), overlap=overlap, expires_at=expires_at
        )
    path = call.request.url.path.rsplit("/", 2)[0]
    return _new_token(row, secret, {"Location": f"{call.services.public_path}{path}/{row['id']}"})


def _new_token(row: Row, secret: str, location: Mapping[str, str]) -> Response:
    headers = {**location, "Cache-Control": "no-store"}
    return json(encode({**shown_token(row), "token": secret}), 201, headers)


async def revoke_token(call: Call) -> Response:
    async with call.transaction() as tx:
        await tokens.revoke_token(tx, _robot_id(call), as_uuid(call.path["token_id"]))
    return no_content()


def shown(row: Row) -> dict[str, Any]:
    return {
        "id": row["user_id"],
        "user_id": row["user_id"],
        "membership_id": row["id"],
        "name": row["name"],
        "role": row["role"],
        "created_at": write_timestamp(row["created_at"]),
        "updated_at": write_timestamp(row["updated_at"]),
    }


def shown_token(row: Row) -> dict[str, Any]:
    times = ("expires_at", "revoked_at", "last_used_at", "created_at")
    return {
        "id": row["id"],
        "user_id": row["user_id"],
        "name": row["name"],
        "token_suffix": row["token_suffix"],
        "state": row["state"],
        **{name: write_timestamp(row[name]) if row[name] else None for name in times},
    }


def _robot_id(call: Call) -> UUID | None:
    return as_uuid(call.path["user_id"])


def _instant(text: str | None) -> datetime | None:
    try:
        return parse_timestamp(text) if text is not None else None
    except ValueError as error:
        raise Invalid(FieldError("expires_at", "invalid_timestamp", str(error))) from None
