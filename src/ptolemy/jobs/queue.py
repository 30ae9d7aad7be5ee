"""The queue in PostgreSQL: what is put in, taken by one worker at a time, and taken again when that worker dies.

Every change to a job that a worker has carries the token of its lease: who comes late changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Row, Session
from ptolemy.kernel import tracing
from ptolemy.kernel.json import decode_exact, encode

CHANNEL = "ptolemy_jobs"
NIL = UUID(int=0)


@dataclass(frozen=True)
class Claimed:
    id: UUID
    kind: str
    workspace_id: UUID
    payload: Mapping[str, Any]
    attempts: int
    failures: int
    last_error: str | None
    cancel_requested: bool
    lease_token: UUID
    traceparent: str | None = None


@dataclass(frozen=True)
class Asked:
    """By whom, and the least role that may."""

    by: UUID
    needs: str


@dataclass(frozen=True)
class Held:
    lease_token: UUID
    cancel_requested: bool


async def enqueue(
    session: Session,
    kind: str,
    job_id: UUID,
    workspace_id: UUID | None,
    payload: Mapping[str, Any] | None = None,
    *,
    priority: int = 0,
    run_at: datetime | None = None,
    asked: Asked | None = None,
) -> None:
    """Some worker runs this once the transaction has committed; the higher the priority, the earlier.

    A job with a workspace goes with it; without one it belongs to none. Where it was `asked` for, `withdraw` finds it.
    The payload's fractions come back as `Decimal`.
    """
    await session.run(
        Sql.of(
            "insert into jobs (id, workspace_id, kind, payload, priority, run_at, traceparent, asked_by, needs)"
            " values (?, ?, ?, ?, ?, coalesce(?, now()), ?, ?, ?)",
            job_id,
            workspace_id,
            kind,
            encode(payload or {}).decode(),
            priority,
            run_at,
            tracing.traceparent(),
            asked.by if asked else None,
            asked.needs if asked else None,
        )
    )
    await notify(session)


async def cancel(session: Session, workspace_id: UUID, job_id: UUID) -> Literal["removed", "requested", "gone"]:
    """Stops a job: "removed" if nobody works on it, so the caller marks its own record in the same transaction;
    "requested" if its worker will, in a moment; "gone" if it is done already."""
    removed = await session.run(
        Sql.of(
            "delete from jobs"
            " where workspace_id = ? and id = ? and (lease_until is null or lease_until < clock_timestamp())",
            workspace_id,
            job_id,
        )
    )
    if removed:
        return "removed"
    requested = await session.run(
        Sql.of("update jobs set cancel_requested = true where workspace_id = ? and id = ?", workspace_id, job_id)
    )
    if not requested:
        return "gone"
    await notify(session, "cancel")
    return "requested"


async def withdraw(session: Session, workspace_id: UUID, asked_by: UUID, kept: Sequence[str]) -> None:
    """Has all jobs cancelled that somebody asked for, but those that need one of the `kept` roles.

    Their handlers do it: one that works on it in a moment, else whoever takes it next, now and not when it is due.
    """
    withdrawn = await session.run(
        Sql.of(
            "update jobs"
            " set cancel_requested = true, run_at = least(run_at, now())"
            " where workspace_id = ? and asked_by = ? and not (needs = any(?::text[]))",
            workspace_id,
            asked_by,
            list(kept),
        )
    )
    if withdrawn:
        await notify(session, "cancel")
        await notify(session)


async def notify(session: Session, message: str = "due") -> None:
    """Wakes every worker when the transaction commits."""
    await session.run(Sql.of("select pg_notify(?, ?)", CHANNEL, message))


async def claim(session: Session, kinds: Sequence[str], count: int, lease_seconds: float) -> list[Claimed]:
    """Up to `count` jobs that are due, for this worker alone until the lease ends."""
    await _let_go_when_frozen(session)
    rows = await session.rows(
        Sql.of(
            # Materialised, else the planner may run the limit more than once.
            "with due as materialized ("
            "  select id"
            "  from jobs"
            "  where kind = any(?::text[]) and run_at <= now() and (lease_until is null or lease_until < now())"
            "  order by priority desc, run_at, id"
            "  limit ?"
            "  for update skip locked"
            ")"
            " update jobs"
            " set lease_token = gen_random_uuid(), lease_until = now() + ?, attempts = attempts + 1"
            " from due"
            " where jobs.id = due.id"
            " returning jobs.*",
            list(kinds),
            count,
            timedelta(seconds=lease_seconds),
        )
    )
    return [_claimed(row) for row in sorted(rows, key=lambda row: (-row["priority"], row["run_at"], row["id"]))]


async def renew(session: Session, tokens: Sequence[UUID], lease_seconds: float) -> list[Held]:
    """The heartbeat: these leases last longer. Answers those still held; what is missing was lost.

    A row that its own handler holds in a fence is not waited for: it counts as held.
    """
    await _let_go_when_frozen(session)
    renewed = await session.rows(
        Sql.of(
            "with held as materialized ("
            "  select id"
            "  from jobs"
            "  where lease_token = any(?::uuid[])"
            "  order by id"
            "  for no key update skip locked"
            ")"
            " update jobs"
            " set lease_until = clock_timestamp() + ?"
            " from held"
            " where jobs.id = held.id"
            " returning lease_token, cancel_requested",
            list(tokens),
            timedelta(seconds=lease_seconds),
        )
    )
    held = {row["lease_token"]: row["cancel_requested"] for row in renewed}
    if len(held) < len(tokens):
        fenced = await session.rows(
            Sql.of("select lease_token, cancel_requested from jobs where lease_token = any(?::uuid[])", list(tokens))
        )
        held |= {row["lease_token"]: row["cancel_requested"] for row in fenced}
    return [Held(token, requested) for token, requested in held.items()]


async def hold(session: Session, job_id: UUID, token: UUID, lease_seconds: float) -> Held | None:
    """Locks the job's row until the end of the transaction, with a fresh lease; None where the lease is another's."""
    await _let_go_when_frozen(session)
    row = await session.row(
        Sql.of(
            "update jobs"
            " set lease_until = clock_timestamp() + ?"
            " where id = ? and lease_token = ?"
            " returning cancel_requested",
            timedelta(seconds=lease_seconds),
            job_id,
            token,
        )
    )
    return Held(token, row["cancel_requested"]) if row else None


async def finish(session: Session, job_id: UUID, token: UUID) -> bool:
    """The job is done: removed, or put back for its next turn. False where the lease is another's."""
    await _let_go_when_frozen(session)
    removed = await session.run(
        Sql.of("delete from jobs where id = ? and lease_token = ? and every is null", job_id, token)
    )
    if removed:
        return True
    again = await session.run(
        Sql.of(
            # Turns that were missed while no worker ran are not made up for.
            "update jobs"
            " set run_at = case when run_at + every > now() then run_at + every else now() + every end,"
            "  lease_token = null, lease_until = null, attempts = 0, failures = 0, last_error = null,"
            "  cancel_requested = false"
            " where id = ? and lease_token = ?",
            job_id,
            token,
        )
    )
    return again > 0


async def release(session: Session, job_id: UUID, token: UUID) -> None:
    """The job is given back unfinished and unblamed: another worker may take it at once."""
    released = await session.run(
        Sql.of(
            "update jobs"
            " set lease_token = null, lease_until = null, attempts = attempts - 1"
            " where id = ? and lease_token = ?",
            job_id,
            token,
        )
    )
    if released:
        await notify(session)


async def postpone(session: Session, job_id: UUID, token: UUID, wait_seconds: float) -> bool:
    """The job is put back unblamed, to go on after `wait_seconds`. False where the lease is another's."""
    await _let_go_when_frozen(session)
    postponed = await session.run(
        Sql.of(
            "update jobs"
            " set lease_token = null, lease_until = null, attempts = 0, failures = 0, last_error = null,"
            "  run_at = clock_timestamp() + ?"
            " where id = ? and lease_token = ?",
            timedelta(seconds=wait_seconds),
            job_id,
            token,
        )
    )
    return postponed > 0


async def fail(session: Session, job_id: UUID, token: UUID, reason: str, wait_seconds: float) -> None:
    """The attempt failed; there is another after `wait_seconds`."""
    await session.run(
        Sql.of(
            "update jobs"
            " set lease_token = null, lease_until = null, failures = failures + 1, last_error = ?,"
            "  run_at = clock_timestamp() + ?"
            " where id = ? and lease_token = ?",
            reason,
            timedelta(seconds=wait_seconds),
            job_id,
            token,
        )
    )


async def _let_go_when_frozen(session: Session) -> None:
    # A worker frozen between its lock and its commit would keep the row from everybody, for as long as it is frozen.
    await session.run(Sql("set local idle_in_transaction_session_timeout = '10s'"))


def _claimed(row: Row) -> Claimed:
    return Claimed(
        row["id"],
        row["kind"],
        row["workspace_id"] or NIL,
        decode_exact(row["payload"]),
        row["attempts"],
        row["failures"],
        row["last_error"],
        row["cancel_requested"],
        row["lease_token"],
        row["traceparent"],
    )
