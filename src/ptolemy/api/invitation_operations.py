"""Invitations over HTTP: made and withdrawn by admins, accepted by whoever has the link."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, create_model
from starlette.responses import Response

from ptolemy.accounts import invitations, workspaces
from ptolemy.accounts.invitations import Inviting
from ptolemy.api import gate
from ptolemy.api.answers import json, no_content
from ptolemy.api.operations import Operation
from ptolemy.api.resource_operations import WORKSPACE, Handlers, read_operations
from ptolemy.api.services import Call
from ptolemy.api.workspace_operations import Workspace, shown
from ptolemy.database.transaction import Transaction
from ptolemy.engine import lookup, render
from ptolemy.engine.schemas import Body, schemas
from ptolemy.kernel.identifiers import as_uuid
from ptolemy.kernel.json import encode
from ptolemy.resources.memberships import Invitations

NewInvitation = create_model(
    "NewInvitation",
    __base__=schemas(Invitations).record,
    __doc__="A new invitation; `token`, and `link` with it, are shown this once.",
    token=(str, ...),
    link=(str, ...),
)


class InvitationCreate(Body):
    email: str
    role: str = "viewer"


class Acceptance(Body):
    """`password` is that of the account, or of the one that is made; who is signed in as who was invited needs none."""

    token: str
    password: str | None = None
    name: str | None = None


def invitation_operations() -> list[Operation]:
    tag, many = "invitations", f"{WORKSPACE}/invitations"
    accepted: dict[int, type[BaseModel] | None] = {200: Workspace}
    return [
        *read_operations(Invitations(), access="admin"),
        Operation(
            "POST",
            many,
            create,
            "Invite somebody",
            tag,
            "admin",
            {201: NewInvitation},
            body=InvitationCreate,
            problems=(409,),
        ),
        Operation(
            "DELETE",
            f"{many}/{{id}}",
            withdraw,
            "Withdraw an invitation",
            tag,
            "admin",
            {204: None},
            problems=(409,),
            find=Handlers(Invitations()).find,
        ),
        Operation(
            "POST",
            "/v1/auth/invitations/accept",
            accept,
            "Accept an invitation",
            "auth",
            "anyone",
            accepted,
            body=Acceptance,
            problems=(401, 403, 404, 409, 429, 503),
            openapi={"security": [{}, {"bearer": []}, {"cookie": []}]},
        ),
    ]


async def create(call: Call) -> Response:
    """Sends an e-mail where a mail server is set, and shows the link, once, to be handed over. For seven days.

    Inviting somebody again replaces the invitation that is open.
    """
    services = call.services
    inviting = Inviting(services.invitation_signer, call.address, services.sends_mail)
    async with call.transaction() as tx:
        token, invitation_id = await invitations.invite(tx, inviting, call.body.email, call.body.role)
        document = await _document(tx, invitation_id)
    answer = {**document, "token": token, "link": invitations.link(call.address, token)}
    return json(encode(answer), 201, {**call.location(invitation_id), "Cache-Control": "no-store"})


async def withdraw(call: Call) -> Response:
    async with call.transaction() as tx:
        await invitations.withdraw(tx, as_uuid(call.path["id"]))
    return no_content()


async def accept(call: Call) -> Response:
    """The workspace, with the new role. Who was not signed in does so next, with the same password."""
    services, asked = call.services, call.body
    access = await gate.admit_if_signed_in(call.request, services)
    is_person = access is not None and access.caller.actor.type == "human"
    workspace_id, membership = await invitations.accept(
        services.database,
        services.passwords,
        asked.token,
        password=asked.password,
        name=asked.name,
        signed_in_as=access.user_id if access and is_person else None,
        address=call.client_address,
        request_id=call.request.scope["request_id"],
    )
    async with services.database.session() as session:
        row = await workspaces.workspace(session, workspace_id)
    return json(encode(shown(row, membership["role"])), headers={"Cache-Control": "no-store"})


async def _document(tx: Transaction, invitation_id: UUID) -> dict[str, object]:
    return render.document(Invitations, await lookup.one(tx, Invitations, str(invitation_id)))
