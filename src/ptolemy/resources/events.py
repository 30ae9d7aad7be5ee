"""Events as they are read; `events.log` writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Computed, Json, RecordId, Text
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.kernel.quoting import seen

_POSITION = re.compile(r"([0-9a-f]{8})-([0-9a-f]{16})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_SIGNS = {"lt": "<", "lte": "<=", "eq": "=", "gte": ">=", "gt": ">"}


class Position(Computed[str]):
    """The place of an event in the feed; positions compare as text, and only ever grow."""

    fault = "invalid_position"
    sent = {"type": "string", "pattern": f"^{_POSITION.pattern}$"}
    special_operators = frozenset(_SIGNS)

    def sql(self, table: str, workspace_id: UUID) -> Sql:
        epoch, xid = f"lpad(to_hex({table}.epoch), 8, '0')", f"lpad(to_hex({table}.xid::text::bigint), 16, '0')"
        return Sql(f"{epoch} || '-' || {xid} || '-' || {table}.id")

    def accept(self, value: Any) -> str:
        if not isinstance(value, str) or not _POSITION.fullmatch(value):
            raise ValueError(f"must be the position of an event, got {seen(value)}")
        return value

    async def special(
        self, tx: Transaction, op: str, value: Any, *, archived_mentioned: bool
    ) -> tuple[Sql, Sequence[str]]:
        return position_is(_SIGNS[op], value), ()


def position_is(sign: str, position: str) -> Sql:
    """A comparison with a position, as the index of the feed takes it."""
    found = _POSITION.fullmatch(position)
    if found is None or int(found[1], 16) >= 1 << 31:
        return Sql("false")
    return Sql.of(f"(epoch, xid, id) {sign} (?, ?, ?)", int(found[1], 16), int(found[2], 16), UUID(found[3]))


Place = tuple[int, int, UUID]
"""Where an event stands in the feed: epoch, transaction and id."""


def place_of(position: str) -> Place:
    """The place that a position names."""
    epoch, xid, event_id = position.split("-", 2)
    return int(epoch, 16), int(xid, 16), UUID(event_id)


def position_of(place: Place) -> str:
    epoch, xid, event_id = place
    return f"{epoch:08x}-{xid:016x}-{event_id}"


def is_position(text: str) -> bool:
    return _POSITION.fullmatch(text) is not None


class Actor(Computed[dict[str, Any]]):
    """Who did it."""

    shown = {
        "type": "object",
        "properties": {
            "type": {"type": "string", "enum": ["human", "robot", "system"]},
            "id": {"type": ["string", "null"], "format": "uuid"},
            "name": {"type": "string"},
        },
        "required": ["type", "id", "name"],
    }

    def sql(self, table: str, workspace_id: UUID) -> Sql:
        parts = ", ".join(f"'{name}', {table}.actor_{name}" for name in ("type", "id", "name"))
        return Sql(f"json_build_object({parts})")

    def show(self, stored: Any) -> Any:
        return msgspec.Raw(stored.encode())


class Events(Resource):
    """Something that happened, to which record, by whom, in which request, and what it changed."""

    singular = "event"
    collection = "events"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    immutable = True
    order = ("epoch", "xid", "id")
    listed_by = ("event_type", "resource_type", "resource_id", "actor_id")

    position = Position(required=True)
    event_type = Text(required=True)
    resource_type = Text(required=True)
    resource_id = RecordId(required=True)
    resource_identifier = Text()
    actor = Actor(required=True)
    actor_type = Text(required=True, hidden=True)
    actor_id = RecordId(hidden=True)
    actor_name = Text(required=True, hidden=True)
    request_id = Text()
    changes = Json(required=True)
