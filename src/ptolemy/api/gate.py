"""Who calls, and whether they may: settled before anything of the request's body is read."""

from __future__ import annotations

from starlette.requests import Request

from ptolemy.accounts.access import Access, ForeignWorkspace, authenticate
from ptolemy.api import rate_limits
from ptolemy.api.services import Services
from ptolemy.kernel.actors import allows
from ptolemy.kernel.problems import Forbidden, Unauthorized


async def admit(request: Request, services: Services, needed: str) -> Access | None:
    """The caller's access: a 401 without good credentials, a 404 outside their workspaces, a 403 for too low a role.

    A robot's request counts whatever becomes of it, so a 429 comes before a 404.
    """
    if needed == "anyone":
        return None
    access = await _authenticated(request, services)
    if needed == "human":
        if access.caller.actor.type != "human":
            raise Forbidden("humans_only", "this is for people who sign in: a robot belongs to one workspace")
    elif needed != "signed_in" and not allows(access.role, needed):  # type: ignore[arg-type] # the other words are handled
        raise Forbidden("forbidden", f"this needs the role {needed}, yours is {access.role}")
    return access


async def _authenticated(request: Request, services: Services) -> Access:
    bearer, workspace = _bearer(request), request.path_params.get("workspace")
    try:
        access = await authenticate(services.database, bearer, workspace, request_id=request.scope["request_id"])
    except ForeignWorkspace as foreign:
        await rate_limits.meter(request.scope, services.meter, foreign.access)
        raise
    await rate_limits.meter(request.scope, services.meter, access)
    return access


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("unauthorized", "send your token as `Authorization: Bearer …`")
    return token.strip()
