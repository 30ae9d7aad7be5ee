"""Where a person is signed in, and ending it there."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from starlette.responses import Response

from ptolemy.accounts import sessions
from ptolemy.api.account_pages import PageQuery, page
from ptolemy.api.answers import no_content
from ptolemy.api.operations import Operation
from ptolemy.api.services import Call
from ptolemy.database.transaction import Row
from ptolemy.engine.schemas import PageOf
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.timestamps import write_timestamp


class SignInSession(BaseModel):
    """One sign-in: `kind` is `bearer` or `cookie`, `client` what the program called itself, `current` this very one."""

    id: UUID
    kind: str
    client: str | None
    current: bool
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime


class SignInSessionPage(PageOf[SignInSession]):
    pass


def session_operations() -> list[Operation]:
    tag, many = "auth", "/v1/auth/sessions"
    return [
        Operation(
            "GET", many, listing, "Where I am signed in", tag, "human", {200: SignInSessionPage}, query=PageQuery
        ),
        Operation("DELETE", f"{many}/{{id}}", delete, "End one of my sessions", tag, "human", {204: None}),
    ]


async def listing(call: Call) -> Response:
    async with call.services.database.session() as session:
        return await page(
            call,
            "sessions",
            lambda after, limit: sessions.sessions_of(session, call.signed_in.user_id, after=after, limit=limit),
            lambda row: shown(row, call.signed_in.credential_id),
        )


async def delete(call: Call) -> Response:
    async with call.services.database.session() as session:
        await sessions.end_session_of(session, call.signed_in.user_id, as_uuid(call.path["id"]))
    return no_content()


def shown(row: Row, current: UUID) -> dict[str, Any]:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "client": row["client"],
        "current": row["id"] == current,
        "created_at": write_timestamp(row["created_at"]),
        "last_used_at": write_timestamp(row["last_used_at"]) if row["last_used_at"] else None,
        "expires_at": write_timestamp(row["expires_at"]),
    }
