"""Who does something, and where."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

ActorType = Literal["human", "robot", "system"]
Role = Literal["viewer", "member", "editor", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "member", "editor", "admin")
"""From the least to the most: each may do all that the one before may."""


@dataclass(frozen=True)
class Actor:
    type: ActorType
    id: UUID | None
    name: str


SYSTEM = Actor("system", None, "system")


@dataclass(frozen=True)
class Caller:
    """On whose behalf one request or one job works: the workspace, the actor, and the request it began with."""

    workspace_id: UUID
    actor: Actor
    request_id: str | None = None


def allows(held: Role, needed: Role) -> bool:
    return ROLES.index(held) >= ROLES.index(needed)
