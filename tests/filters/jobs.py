"""Jobs that a test hands to the handler of indexes itself."""

from __future__ import annotations

import asyncio
from uuid import UUID

from ptolemy.database.transaction import Session
from ptolemy.engine.custom_field_indexes import KIND
from ptolemy.jobs.job import Job
from ptolemy.kernel.identifiers import uuid7


class _Held(Job):
    """Its lease is nobody else's."""

    async def still_ours(self, session: Session) -> None:
        """It is."""


def held_job(workspace_id: UUID, index: UUID) -> Job:
    return _Held(uuid7(), KIND, workspace_id, {"index": str(index)}, 1, 0, None, uuid7(), asyncio.Event(), 60)
