"""What an endpoint is sent: the event's JSON as `GET /events/{id}` shows it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Transaction
from ptolemy.engine import render
from ptolemy.kernel.json import encode
from ptolemy.resources.events import Events

MAX_BYTES = 20_000
"""Receivers bound what they read; of a larger event the changes are left to be fetched."""


class Payloads:
    """`public_url` is where links lead; without it they are paths on this server."""

    def __init__(self, public_url: str | None) -> None:
        self._base = public_url or ""

    async def of(self, tx: Transaction, event_ids: Collection[UUID]) -> dict[UUID, bytes]:
        """The bodies, by event; those that are kept no longer are missing."""
        shown = Events.selected("e", tx.workspace_id)
        statement = Sql.of(
            f"select {shown.text} from events e where workspace_id = ? and id = any(?::uuid[])",
            *shown.args,
            tx.workspace_id,
            list(event_ids),
        )
        return {row["id"]: self._body(tx.workspace_id, row) for row in await tx.rows(statement)}

    def _body(self, workspace_id: UUID, row: Row) -> bytes:
        document = render.document(Events, row)
        body = encode(document)
        if len(body) <= MAX_BYTES:
            return body
        del document["changes"]
        return encode(document | {"changes_url": f"{self._base}/v1/workspaces/{workspace_id}/events/{row['id']}"})
