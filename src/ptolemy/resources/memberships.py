"""Members and invitations as they are read; `accounts` writes them."""

from __future__ import annotations

from ptolemy.engine.fields import Choice, RecordId, Text, Timestamp
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.kernel.actors import ROLES


class Memberships(Resource):
    """A person or a robot in a workspace; `email` is null for a robot."""

    singular = "membership"
    collection = "memberships"
    table = "members"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    listed_by = ("user_id", "type", "role")

    user_id = RecordId(required=True)
    type = Choice("human", "robot", required=True)
    email = Text(searched=True)
    name = Text(searched=True)
    role = Choice(*ROLES, required=True)


class Invitations(Resource):
    """Somebody who was asked to join; `mail` says what became of the e-mail with the link."""

    singular = "invitation"
    collection = "invitations"
    table = "invitation_states"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    listed_by = ("email", "state", "role")

    email = Text(required=True, searched=True)
    role = Choice(*ROLES, required=True)
    state = Choice("pending", "accepted", "withdrawn", "expired", required=True)
    mail = Choice("none", "queued", "sent", "failed", required=True)
    expires_at = Timestamp(required=True)
    accepted_at = Timestamp()
    withdrawn_at = Timestamp()
