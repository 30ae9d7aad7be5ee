"""Who calls, and whether they may: settled before anything of the request's body is read."""

from __future__ import annotations

from starlette.requests import Request

from ptolemy.accounts.access import Access, authenticate
from ptolemy.accounts.credentials import kind_of
from ptolemy.api import rate_limits
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import allows
from ptolemy.kernel.problems import Forbidden, NotFound, Unauthorized


async def admit(request: Request, database: Database, needed: str) -> Access | None:
    """The caller's access: a 401 without good credentials, a 404 outside their workspaces, a 403 for too low a role."""
    if needed == "anyone":
        return None
    access = await _authenticated(request, database)
    if needed == "human":
        if access.caller.actor.type != "human":
            raise Forbidden("humans_only", "this is for people who sign in: a robot belongs to one workspace")
    elif needed != "signed_in" and not allows(access.role, needed):  # type: ignore[arg-type] # the other words are handled
        raise Forbidden("forbidden", f"this needs the role {needed}, yours is {access.role}")
    return access


async def _authenticated(request: Request, database: Database) -> Access:
    bearer, workspace = _bearer(request), request.path_params.get("workspace")
    try:
        access = await authenticate(database, bearer, workspace, request_id=request.scope["request_id"])
    except NotFound:
        # The credentials were good.
        rate_limits.mark(request.scope, kind_of(bearer))
        raise
    rate_limits.mark(request.scope, kind_of(bearer))
    return access


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("unauthorized", "send your token as `Authorization: Bearer …`")
    return token.strip()
