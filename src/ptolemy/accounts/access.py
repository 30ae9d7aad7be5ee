"""Who calls: from a bearer token to an actor and a role, by one statement a request."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ptolemy.accounts.credentials import digest, kind_of
from ptolemy.accounts.sessions import note_use
from ptolemy.accounts.workspaces import is_slug
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row
from ptolemy.kernel.actors import Actor, Caller, Role
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.problems import NotFound, Unauthorized
from ptolemy.plans.calls import Terms

NOWHERE = UUID(int=0)
"""The workspace of a request that names none (RFC 9562, nil UUID): no record has it."""


@dataclass(frozen=True)
class Access:
    """A caller whose credentials are good, and their role in the caller's workspace.

    `credential_id` is the id of the session or the token; without a workspace the role is the least. `terms` is what
    the plan says of a robot's calls; people's aren't counted.
    """

    caller: Caller
    role: Role
    user_id: UUID
    credential_id: UUID
    terms: Terms | None = None


class ForeignWorkspace(NotFound):
    """The credentials are good, but not for this workspace; `access` is what they give elsewhere."""

    def __init__(self, workspace: str, access: Access) -> None:
        super().__init__("workspace_not_found", _no_such_workspace(workspace))
        self.access = access


async def authenticate(
    database: Database, secret: str, workspace: str | None, *, request_id: str | None = None
) -> Access:
    """The access that a bearer token or a cookie gives to the workspace (UUID or slug), or to none in particular.

    Bad, expired and revoked credentials are a 401; a workspace that isn't theirs is a 404, whether it exists or not.
    Nothing is remembered from one request to the next, so what is revoked is refused at once, by every process.
    """
    kind = kind_of(secret)
    if kind == "robot":
        return await _robot(database, secret, workspace, request_id)
    if kind in ("access", "cookie"):
        return await _human(database, secret, workspace, request_id)
    raise Unauthorized("invalid_token", "the bearer token is not one of this server's")


async def _robot(database: Database, bearer: str, workspace: str | None, request_id: str | None) -> Access:
    row: Row | None = await database.row(
        Sql.of(
            "select t.id, t.user_id, t.workspace_id, w.slug, m.role, u.name, t.revoked_at is not null as revoked,"
            " t.expires_at <= now() as expired, t.last_used_at > now() - interval '1 minute' as just_used,"
            " p.calls, p.call_overage"
            " from tokens t"
            " join users u on u.id = t.user_id"
            " join workspaces w on w.id = t.workspace_id"
            " join plans p on p.name = w.plan"
            " left join memberships m on m.workspace_id = t.workspace_id and m.user_id = t.user_id"
            " where t.hash = ?",
            digest(bearer),
        )
    )
    if row is None:
        raise Unauthorized("invalid_token", "the token is unknown: it was mistyped, or belongs to another server")
    if row["revoked"] or row["role"] is None:
        raise Unauthorized("token_revoked", "the token was revoked: ask an admin of the workspace for a new one")
    if row["expired"]:
        raise Unauthorized("token_expired", "the token has expired: ask an admin of the workspace for a new one")
    caller = Caller(row["workspace_id"], Actor("robot", row["user_id"], row["name"]), request_id)
    access = Access(caller, row["role"], row["user_id"], row["id"], Terms(row["calls"], row["call_overage"]))
    if workspace is not None and workspace != row["slug"] and as_uuid(workspace) != row["workspace_id"]:
        raise ForeignWorkspace(workspace, access)
    if not row["just_used"]:
        await _note_use_of_token(database, row)
    return access


async def _note_use_of_token(database: Database, token: Row) -> None:
    # Once a minute and token, so that a busy robot's requests stay reads.
    await database.row(
        Sql.of(
            "update tokens set last_used_at = now() where workspace_id = ? and id = ?",
            token["workspace_id"],
            token["id"],
        )
    )


async def _human(database: Database, secret: str, workspace: str | None, request_id: str | None) -> Access:
    named = as_uuid(workspace) if workspace else None
    slug = workspace if workspace and is_slug(workspace) else None
    row: Row | None = await database.row(
        Sql.of(
            "select s.id, s.user_id, u.name, u.email, w.id as workspace_id, m.role,"
            " s.revoked_at is not null as revoked, s.access_expires_at <= now() as expired,"
            " s.kind = 'cookie' as in_cookie, s.last_used_at > now() - interval '1 minute' as just_used"
            " from sessions s"
            " join users u on u.id = s.user_id"
            f" left join workspaces w on {'w.id = ?' if named else 'w.slug = ?'}"
            " left join memberships m on m.workspace_id = w.id and m.user_id = s.user_id"
            " where s.access_hash = ?",
            named or slug,
            digest(secret),
        )
    )
    if row is None or row["revoked"]:
        raise Unauthorized("invalid_token", "this sign-in has ended: sign in again")
    if row["expired"]:
        advice = "sign in again" if row["in_cookie"] else "refresh it, or sign in again"
        raise Unauthorized("token_expired", f"the access token has expired: {advice}")
    if not row["just_used"]:
        await note_use(database, row["id"])
    actor = Actor("human", row["user_id"], row["name"] or row["email"])
    if workspace is not None and row["role"] is None:
        raise ForeignWorkspace(
            workspace, Access(Caller(NOWHERE, actor, request_id), "viewer", row["user_id"], row["id"])
        )
    caller = Caller(row["workspace_id"] or NOWHERE, actor, request_id)
    return Access(caller, row["role"] or "viewer", row["user_id"], row["id"])


def _no_such_workspace(workspace: str) -> str:
    return f"there is no workspace {workspace!r} that you belong to"
