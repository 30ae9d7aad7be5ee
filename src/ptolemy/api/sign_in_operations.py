"""Signing up, in and out over HTTP, and the password."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.accounts import sessions, sign_in
from ptolemy.accounts.people import person
from ptolemy.accounts.sessions import SignedIn
from ptolemy.api import cookies
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.engine.schemas import Body
from ptolemy.kernel.json import encode

NO_STORE = {"Cache-Control": "no-store"}
"""Credentials must not stay in a cache (RFC 6749, 5.1)."""


class Login(Body):
    """`cookie` asks for a browser's session instead of tokens."""

    email: str
    password: str
    cookie: bool = False


class Signup(Body):
    email: str
    password: str
    name: str | None = None


class Refresh(Body):
    refresh_token: str


class PasswordChange(Body):
    current_password: str
    new_password: str


class Tokens(BaseModel):
    """`access_token` goes into `Authorization: Bearer …`; `refresh_token` works once; `expires_in` is in seconds."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class BrowserSession(BaseModel):
    """The session is in the cookie that came along; it ends when it isn't used, and after `expires_in` seconds."""

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
    signed_in: dict[int, Any] = {200: Tokens | BrowserSession}
    tokens: dict[int, Any] = {200: Tokens}

    def public(path: str, handler: Any, summary: str, answers: dict[int, Any], **more: Any) -> Operation:
        return Operation("POST", f"{base}/{path}", handler, summary, tag, "anyone", answers, **more)

    return [
        public("signup", signup, "Sign up", tokens, body=Signup, problems=(403, 409, 429, 503)),
        public("login", login, "Sign in", signed_in, body=Login, problems=(401, 403, 429, 503)),
        public("refresh", refresh, "Renew a sign-in", tokens, body=Refresh, problems=(401,)),
        Operation("POST", f"{base}/logout", logout, "Sign out", tag, "human", {204: None}, keyed="never"),
        Operation(
            "POST",
            f"{base}/password",
            change_password,
            "Change my password",
            tag,
            "human",
            {204: None},
            body=PasswordChange,
            problems=(429, 503),
            keyed="never",
        ),
        Operation("GET", f"{base}/me", me, "Who am I?", tag, "signed_in", {200: Me}),
    ]


async def signup(call: Call) -> Response:
    asked = call.body
    tokens = await sign_in.sign_up(
        call.services.database,
        call.services.passwords,
        asked.email,
        asked.password,
        asked.name,
        is_open=call.services.signup_is_open,
        address=call.client_address,
        client=_client(call),
    )
    return _tokens(tokens)


async def login(call: Call) -> Response:
    """With `cookie` the session comes as a cookie, for a browser; without, as tokens, for a program."""
    asked, services = call.body, call.services
    if asked.cookie:
        return await _login_of_a_browser(call)
    tokens = await sign_in.sign_in(
        services.database,
        services.passwords,
        asked.email,
        asked.password,
        address=call.client_address,
        client=_client(call),
    )
    return _tokens(tokens)


async def _login_of_a_browser(call: Call) -> Response:
    asked, services = call.body, call.services
    # Else another site could sign its visitor in as somebody else.
    cookies.refuse_cross_site(call.request, services.public_url)
    found = await sign_in.recognised(
        services.database, services.passwords, asked.email, asked.password, address=call.client_address
    )
    async with services.database.session() as session:
        await sign_in.still_the_password(session, found)
        # The browser forgets its earlier cookie: who has a copy of it must not keep the session.
        if earlier := cookies.session_cookie(call.request, services.public_url):
            await sessions.end_cookie_session(session, earlier)
        opened = await sessions.open_cookie_session(session, found["id"], _client(call))
    header = cookies.setting_cookie(call.request, services.public_url, opened.secret, opened.lifetime_seconds)
    answer = {"token_type": "Cookie", "expires_in": opened.lifetime_seconds}
    return json(encode(answer), headers={**header, **NO_STORE})


async def refresh(call: Call) -> Response:
    """Asked again within a minute it answers the same; later, a used token ends the sign-in."""
    services = call.services
    return _tokens(await sessions.refresh(services.database, services.session_signer, call.body.refresh_token))


async def logout(call: Call) -> Response:
    async with call.services.database.session() as session:
        await sessions.end_session(session, call.signed_in.credential_id)
    answer = no_content()
    if cookies.session_cookie(call.request, call.services.public_url):
        answer.headers.update(cookies.clearing_cookie(call.request, call.services.public_url))
    return answer


async def change_password(call: Call) -> Response:
    """Ends all other sessions of the person."""
    services, access = call.services, call.signed_in
    await sign_in.change_password(
        services.database,
        services.passwords,
        access.user_id,
        access.credential_id,
        call.body.current_password,
        call.body.new_password,
        address=call.client_address,
    )
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
    return json(encode(answer), headers=NO_STORE)


def _client(call: Call) -> str | None:
    return call.request.headers.get("user-agent")
