"""Who calls, and whether they may: settled before anything of the request's body is read."""

from __future__ import annotations

from starlette.requests import Request

from ptolemy.accounts.access import Access, authenticate
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import allows
from ptolemy.kernel.problems import Forbidden, Unauthorized


async def admit(request: Request, database: Database, needed: str) -> Access | None:
    """The caller's access: a 401 without good credentials, a 404 outside their workspaces, a 403 for too low a role."""
    if needed == "anyone":
        return None
    access = await authenticate(
        database, _bearer(request), request.path_params.get("workspace"), request_id=request.scope["request_id"]
    )
    if needed != "signed_in" and not allows(access.role, needed):  # type: ignore[arg-type] # the other words are handled
        raise Forbidden("forbidden", f"this needs the role {needed}, yours is {access.role}")
    return access


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("unauthorized", "send your token as `Authorization: Bearer …`")
    return token.strip()
