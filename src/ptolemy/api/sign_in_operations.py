"""Signing in and out over HTTP."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.accounts import sign_in
from ptolemy.accounts.people import person
from ptolemy.accounts.sign_in import SignedIn
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.engine.schemas import Body
from ptolemy.kernel.json import encode


class Login(Body):
    email: str
    password: str


class Refresh(Body):
    refresh_token: str


class Tokens(BaseModel):
    """`access_token` goes into `Authorization: Bearer …`; `refresh_token` works once; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class Me(BaseModel):
    """Who the credentials belong to; `email` is null for a robot."""

    id: UUID
    type: str
    email: str | None
    name: str | None


def sign_in_operations() -> list[Operation]:
    tag, base = "auth", "/v1/auth"
    signed_in: dict[int, type[BaseModel] | None] = {200: Tokens}
    return [
        Operation("POST", f"{base}/login", login, "Sign in", tag, "anyone", signed_in, body=Login, problems=(401, 429)),
        Operation(
            "POST",
            f"{base}/refresh",
            refresh,
            "Renew a sign-in",
            tag,
            "anyone",
            signed_in,
            body=Refresh,
            problems=(401,),
        ),
        Operation("POST", f"{base}/logout", logout, "Sign out", tag, "human", {204: None}, keyed="never"),
        Operation("GET", f"{base}/me", me, "Who am I?", tag, "signed_in", {200: Me}),
    ]


async def login(call: Call) -> Response:
    services = call.services
    return _tokens(await sign_in.sign_in(services.database, services.passwords, call.body.email, call.body.password))


async def refresh(call: Call) -> Response:
    return _tokens(await sign_in.refresh(call.services.database, call.body.refresh_token))


async def logout(call: Call) -> Response:
    await sign_in.sign_out(call.services.database, call.signed_in.credential_id)
    return no_content()


async def me(call: Call) -> Response:
    async with call.services.database.session() as session:
        row = await person(session, call.signed_in.user_id)
    return json(encode({"id": row["id"], "type": row["kind"], "email": row["email"], "name": row["name"]}))


def _tokens(tokens: SignedIn) -> Response:
    answer = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in_seconds,
    }
    # Credentials must not stay in a cache (RFC 6749, 5.1).
    return json(encode(answer), headers={"Cache-Control": "no-store"})
