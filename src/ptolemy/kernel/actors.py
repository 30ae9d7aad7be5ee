"""Who does something, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
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

    def packed(self) -> dict[str, Any]:
        """As JSON, for a job that goes on in the caller's name."""
        actor_id = str(self.actor.id) if self.actor.id else None
        return {
            "actor": {"type": self.actor.type, "id": actor_id, "name": self.actor.name},
            "request_id": self.request_id,
        }

    @classmethod
    def unpacked(cls, workspace_id: UUID, packed: Mapping[str, Any]) -> Caller:
        actor = packed["actor"]
        return cls(
            workspace_id,
            Actor(actor["type"], UUID(actor["id"]) if actor["id"] else None, actor["name"]),
            packed["request_id"],
        )


def allows(held: Role, needed: Role) -> bool:
    return ROLES.index(held) >= ROLES.index(needed)
