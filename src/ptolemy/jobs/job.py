"""A job as its handler sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Session
from ptolemy.jobs import queue
from ptolemy.jobs.queue import Claimed


class LeaseLost(Exception):
    """Another worker has this job, or it was removed: nothing more may be written for it; let it roll back."""


class Cancelled(Exception):
    """The user who asked for the job doesn't want it any more."""


class Interrupted(Exception):
    """What a handler raises that leaves early because its worker stops: the job goes on elsewhere at once."""


class Handler(Protocol):
    """The work of one kind of job."""

    async def run(self, job: Job) -> None:
        """Does the work, or goes on with it: a worker may have died in the middle of an earlier attempt.

        A `Problem` raised here fails the job at once, any other error after some attempts.
        """

    async def gave_up(self, job: Job, reason: str) -> None:
        """Marks the work as failed: there will be no further attempt."""


@dataclass(frozen=True)
class Job:
    """One attempt at a job. `workspace_id` is the nil UUID (RFC 9562) for work that belongs to no workspace."""

    id: UUID
    kind: str
    workspace_id: UUID
    payload: Mapping[str, Any]
    attempts: int
    failures: int
    last_error: str | None
    lease_token: UUID
    stopping: asyncio.Event
    """Set when the worker wants to leave: end the batch, commit it, and raise `Interrupted`."""
    _lease_seconds: float
    traceparent: str | None = None
    """The span of what asked for it, where that was traced."""
    _cancel: asyncio.Event = field(default_factory=asyncio.Event)
    _finished: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, claimed: Claimed, stopping: asyncio.Event, lease_seconds: float) -> Job:
        job = cls(
            claimed.id,
            claimed.kind,
            claimed.workspace_id,
            claimed.payload,
            claimed.attempts,
            claimed.failures,
            claimed.last_error,
            claimed.lease_token,
            stopping,
            lease_seconds,
            claimed.traceparent,
        )
        if claimed.cancel_requested:
            job.request_cancel()
        return job

    def cancelled(self) -> bool:
        """Whether someone asked to cancel; costs nothing, and is known within a moment, at most a heartbeat."""
        return self._cancel.is_set()

    def request_cancel(self) -> None:
        self._cancel.set()

    def check_in(self) -> None:
        """Raises `Cancelled` or `Interrupted` where the handler is to leave; for between two batches."""
        if self.cancelled():
            raise Cancelled
        if self.stopping.is_set():
            raise Interrupted

    async def still_ours(self, session: Session) -> None:
        """The fence: the last statement before the commit of whatever was done for this job; raises `LeaseLost`.

        It holds the job's row until the commit, so that nobody can take the job in between, and renews the lease. The
        transaction must be READ COMMITTED: the heartbeat has changed the row since a snapshot began.
        """
        held = await queue.hold(session, self.id, self.lease_token, self._lease_seconds)
        if held is None:
            raise LeaseLost
        if held.cancel_requested:
            self.request_cancel()

    async def let_go_when_frozen(self, session: Session) -> None:
        """For a transaction of many statements: it ends where this worker freezes for as long as a lease.

        Else it would hold its locks and unique keys against the worker that takes the job.
        """
        milliseconds = int(self._lease_seconds * 1000)
        await session.run(Sql(f"set local idle_in_transaction_session_timeout = {milliseconds}"))

    async def finish(self, session: Session) -> None:
        """The fence for the last commit of all: the job ends with it, and never runs again. Raises `LeaseLost`."""
        if not await queue.finish(session, self.id, self.lease_token):
            raise LeaseLost
        self._finished.set()

    async def postpone(self, session: Session, wait_seconds: float) -> None:
        """The fence for a commit after which the job waits for something outside; the handler then returns.

        It takes no worker's place meanwhile, and goes on wherever there is one. Raises `LeaseLost`.
        """
        if not await queue.postpone(session, self.id, self.lease_token, wait_seconds):
            raise LeaseLost
        self._finished.set()

    def finished(self) -> bool:
        """Whether `finish` or `postpone` was called: the heartbeat doesn't take the missing row for a lost lease."""
        return self._finished.is_set()
