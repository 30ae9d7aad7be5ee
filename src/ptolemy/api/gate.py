"""Who calls, and whether they may: settled before anything of the request's body is read."""

from __future__ import annotations

import time
from typing import Literal

from starlette.requests import Request

from ptolemy.accounts.access import Access, ForeignWorkspace, authenticate
from ptolemy.accounts.credentials import kind_of
from ptolemy.api import rate_limits
from ptolemy.api.cookies import refuse_cross_site, session_cookie
from ptolemy.api.services import Services
from ptolemy.kernel.actors import Role, allows
from ptolemy.kernel.problems import Forbidden, Unauthorized

SignedIn = Role | Literal["signed_in", "human"]
"""The least role in the workspace, or whoever is signed in, wherever they belong, or people alone."""
Admitted = SignedIn | Literal["anyone"]

SLOW_SECONDS = 1.0
"""A body that takes longer to arrive may have outlived the access that it was let in by."""

_ADMITTED_AT = "admitted_at"


async def admit(request: Request, services: Services, needed: Admitted) -> Access | None:
    """The caller's access: a 401 without good credentials, a 404 outside their workspaces, a 403 for too low a role.

    A robot's request counts whatever becomes of it, so a 429 comes before a 404.
    """
    if needed == "anyone":
        return None
    secret = _credentials(request, services.public_url)
    if secret is None:
        raise Unauthorized("unauthorized", "send your token as `Authorization: Bearer …`")
    access = await _authenticated(request, services, secret)
    request.scope[_ADMITTED_AT] = time.monotonic()
    _refuse_too_low(access, needed)
    return access


async def admit_again(request: Request, services: Services, needed: Admitted) -> None:
    """Once the body is there: refuses who has lost their access while it was slowly coming in. It counts no call.

    Else a request that was begun in time, and kept waiting for its last byte, would open the door long after.
    """
    admitted_at = request.scope.get(_ADMITTED_AT)
    if needed == "anyone" or admitted_at is None or time.monotonic() - admitted_at < SLOW_SECONDS:
        return
    secret, workspace = _credentials(request, services.public_url), request.path_params.get("workspace")
    _refuse_too_low(await authenticate(services.database, secret or "", workspace), needed)


def _refuse_too_low(access: Access, needed: SignedIn) -> None:
    if needed == "human":
        if access.caller.actor.type != "human":
            raise Forbidden("humans_only", "this is for people who sign in: a robot belongs to one workspace")
    elif needed != "signed_in" and not allows(access.role, needed):
        raise Forbidden("forbidden", f"this needs the role {needed}, yours is {access.role}")


async def admit_if_signed_in(request: Request, services: Services) -> Access | None:
    """The access of who sends credentials, which have to be good; None for who sends none."""
    secret = _credentials(request, services.public_url)
    return await _authenticated(request, services, secret) if secret is not None else None


async def count_in_vain(request: Request, services: Services) -> None:
    """Counts a robot's request that nothing answers: every one of theirs counts. Nobody else is asked who they are."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or kind_of(token.strip()) != "robot":
        return
    try:
        access = await authenticate(services.database, token.strip(), None, request_id=request.scope["request_id"])
    except Unauthorized:
        return
    request.scope["access"] = access
    await rate_limits.meter(request.scope, services.meter, access)


async def _authenticated(request: Request, services: Services, secret: str) -> Access:
    workspace = request.path_params.get("workspace")
    try:
        access = await authenticate(services.database, secret, workspace, request_id=request.scope["request_id"])
    except ForeignWorkspace as foreign:
        request.scope["access"] = foreign.access
        await rate_limits.meter(request.scope, services.meter, foreign.access)
        raise
    # Before anything is refused: the log says who it was.
    request.scope["access"] = access
    await rate_limits.meter(request.scope, services.meter, access)
    return access


def _credentials(request: Request, public_url: str | None) -> str | None:
    """The bearer token, else the cookie of a browser, if what carries it is our own page."""
    if (header := request.headers.get("authorization")) is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("unauthorized", "send your token as `Authorization: Bearer …`")
        if kind_of(token.strip()) == "cookie":
            raise Unauthorized("invalid_token", "this is the session of a browser: programs sign in for a bearer token")
        return token.strip()
    secret = session_cookie(request, public_url)
    if not secret:
        return None
    if kind_of(secret) != "cookie":
        raise Unauthorized("invalid_token", "this sign-in has ended: sign in again")
    refuse_cross_site(request, public_url)
    return secret
