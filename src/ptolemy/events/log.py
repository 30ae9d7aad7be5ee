"""Writing events. They are immutable: the application's role can add them and read them, nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.identifiers import uuid7s
from ptolemy.kernel.json import encode


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `changes` is `{field: {"from": …, "to": …}}`."""

    event_type: str
    resource_type: str
    resource_id: UUID
    resource_identifier: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


def appeared(values: Mapping[str, Any]) -> dict[str, Any]:
    """The changes that bring these values, where there were none before."""
    return {name: {"from": None, "to": value} for name, value in values.items()}


async def record(tx: Transaction, entries: Sequence[Entry]) -> int:
    """Adds the entries in this transaction, in order, on behalf of its actor; answers where in the feed they stand."""
    if not entries:
        return 0
    statement = Sql.of(
        "insert into events (workspace_id, id, epoch, event_type, resource_type, resource_id, resource_identifier,"
        " changes, actor_type, actor_id, actor_name, request_id)"
        " select ?, new.id, ?, new.event_type, new.resource_type, new.resource_id, new.resource_identifier,"
        " new.changes, ?, ?, ?, ?"
        " from unnest(?::uuid[], ?::text[], ?::text[], ?::uuid[], ?::text[], ?::jsonb[])"
        " as new (id, event_type, resource_type, resource_id, resource_identifier, changes)"
        # Without `returning` Citus would COPY to the shards, which row-level security refuses.
        " returning xid",
        tx.workspace_id,
        tx.epoch,
        tx.actor.type,
        tx.actor.id,
        tx.actor.name,
        tx.caller.request_id,
        uuid7s(len(entries)),
        [entry.event_type for entry in entries],
        [entry.resource_type for entry in entries],
        [entry.resource_id for entry in entries],
        [entry.resource_identifier for entry in entries],
        [encode(entry.changes).decode() for entry in entries],
    )
    xid: int = await tx.value(statement)
    tx.told.add(tx.workspace_id)
    return xid
