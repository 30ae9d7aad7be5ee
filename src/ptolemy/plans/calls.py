"""How many API calls a workspace may make in a month (UTC), counted in the process and written now and then.

Without a limit a request costs an addition; what was used is written every few seconds, and a crash forgets that much.
With a limit a process lets through only what it has leased: a block of calls, of one call near the limit. So the limit
is never exceeded, and a crash costs the workspace the rest of a lease. With overage nothing is leased or refused.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg
import structlog

from ptolemy.database.outage import OUTAGE
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Overtaken, Transaction
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.json import LARGEST_INTEGER
from ptolemy.kernel.problems import TooManyRequests
from ptolemy.plans import call_counts, overage
from ptolemy.plans.bursts import RETRY_AFTER_SECONDS, Bursts

UNLIMITED = LARGEST_INTEGER
"""Stands for no limit: every script reads it exactly, so that none has to know a word for it."""

FLUSH_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 1.0
"""How long a process takes a used-up month for used up: others may give back, or the plan may change."""

log = structlog.get_logger("ptolemy.plans")


class Allowance(NamedTuple):
    """`resets_at` is in seconds since 1970: the first instant of the next month."""

    limit: int
    remaining: int
    resets_at: int


class Terms(NamedTuple):
    """What the plan says of calls; no `limit` is none."""

    limit: int | None = None
    overage: bool = False


class CallsRefused(TooManyRequests):
    """`allowance` is what the answer says of the calls that are left."""

    def __init__(self, code: str, detail: str, allowance: Allowance, *, retry_after_seconds: int) -> None:
        super().__init__(code, detail, retry_after_seconds=retry_after_seconds)
        self.allowance = allowance


def resets_at(month: date) -> int:
    return int(datetime.combine(call_counts.following(month), datetime.min.time(), UTC).timestamp())


class Meter:
    """Counts the calls of this process. `clock` tells seconds since 1970; `burst_per_second` is of each token."""

    def __init__(
        self, database: Database, *, clock: Callable[[], float] = time.time, burst_per_second: int | None = None
    ) -> None:
        self._database, self._clock = database, clock
        self._bursts = Bursts(database, burst_per_second) if burst_per_second else None
        self._accounts: dict[UUID, _Account] = {}

    async def count(self, workspace_id: UUID, token_id: UUID, terms: Terms) -> Allowance:
        """Counts one call of a robot, or raises `CallsRefused`, and then it doesn't count."""
        account = self._accounts.get(workspace_id)
        if account is None:
            account = self._accounts.setdefault(workspace_id, _Account(workspace_id, terms, self._clock()))
        account.busy = True
        if (now := self._clock()) >= account.day_ends:
            account.turn(now)
        if terms != account.terms:
            await self._agree(account, terms)
        if self._bursts and not await self._bursts.allows(token_id):
            detail = "too many requests of this token at once: slow down"
            code, left = "burst_limit_exceeded", account.allowance()
            raise CallsRefused(code, detail, left, retry_after_seconds=RETRY_AFTER_SECONDS)
        if terms.limit is None:
            account.unleased[account.day] += 1
            return account.unlimited
        return await self._count_limited(account, terms.limit, overage=terms.overage)

    async def _count_limited(self, account: _Account, limit: int, *, overage: bool) -> Allowance:
        if overage:
            if account.known is None:
                async with account.asking:
                    await self._learn(account)
            account.unleased[account.day] += 1
            return account.allowance()
        while not account.leased_left:
            async with account.asking:
                if not account.leased_left:
                    await self._lease(account, limit)
        account.leased_left -= 1
        account.leased[account.day] += 1
        return account.allowance()

    async def _lease(self, account: _Account, limit: int) -> None:
        now, month = self._clock(), account.month
        if now >= account.refused_until:
            async with self._database.transaction(Caller(account.workspace_id, SYSTEM)) as tx:
                lease = await call_counts.lease(tx, month, limit)
            if lease:
                if month == account.month:
                    account.leased_left, account.others = lease.granted, lease.left
                return
            account.refused_until, account.others = now + _ASK_AGAIN_SECONDS, 0
        seconds = max(1, int(resets_at(month) - now) + 1)
        detail = (
            f"the plan has {limit} calls a month, and all are used; the next month begins at midnight UTC on the 1st"
        )
        raise CallsRefused("call_quota_exceeded", detail, account.allowance(), retry_after_seconds=seconds)

    async def _learn(self, account: _Account) -> None:
        if account.known is None:
            async with self._database.transaction(Caller(account.workspace_id, SYSTEM)) as tx:
                account.known = await call_counts.in_month(tx, account.month)

    async def _agree(self, account: _Account, terms: Terms) -> None:
        """The plan has changed: what was counted under the old one is written first."""
        await self._write(account, give_back=True)
        account.agree(terms)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes what was counted while it is open, and the rest, with what is left of leases, at its end."""
        flushing = asyncio.create_task(self._flush_for_ever())
        try:
            yield
        finally:
            flushing.cancel()
            with suppress(asyncio.CancelledError):
                await flushing
            await self.flush(give_back=True)

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self, *, give_back: bool = False) -> None:
        """Writes what was counted since the last time; leases that nobody uses are given back."""
        for account in list(self._accounts.values()):
            idle, account.busy = not account.busy, False
            try:
                await self._write(account, give_back=give_back or idle)
            except (*OUTAGE, asyncpg.PostgresError, Overtaken) as error:
                # It stays counted here, for the next time.
                log.warning("calls_not_written", workspace_id=str(account.workspace_id), reason=repr(error))
                continue
            if idle and account.is_empty:
                self._accounts.pop(account.workspace_id, None)

    async def flush_one(self, workspace_id: UUID) -> None:
        """Writes what this process has counted of one workspace, for somebody who is about to look."""
        if account := self._accounts.get(workspace_id):
            await self._write(account, give_back=False)

    async def _write(self, account: _Account, *, give_back: bool) -> None:
        async with account.writing:
            unleased, leased = +account.unleased, +account.leased
            month, returned = account.month, account.leased_left if give_back else 0
            if not (unleased or leased or returned):
                return
            account.leased_left -= returned
            try:
                async with self._database.transaction(Caller(account.workspace_id, SYSTEM)) as tx:
                    # What a crash of the machine may forget is no more than what a crash of this process does.
                    await tx.run(Sql("set local synchronous_commit = off"))
                    known = None
                    if await _is_there(tx):
                        await call_counts.add(tx, "requests", unleased, leased=False)
                        await call_counts.add(tx, "requests", leased, leased=True)
                        if returned:
                            await call_counts.give_back(tx, month, returned)
                        known = await self._beyond(tx, account.terms, month)
            except BaseException:
                if month == account.month:
                    account.leased_left += returned
                raise
            account.unleased -= unleased
            account.leased -= leased
            if month == account.month:
                account.known = known
                account.others += returned

    async def _beyond(self, tx: Transaction, terms: Terms, month: date) -> int | None:
        """The calls of the month where overage counts them; what goes beyond the limit is noted."""
        if terms.limit is None or not terms.overage:
            return None
        used = await call_counts.in_month(tx, month)
        if used > terms.limit:
            await overage.note(tx, "calls", used - terms.limit, month)
        return used


async def _is_there(tx: Transaction) -> bool:
    """Holds the workspace until the commit; of a removed one nothing may be written that its removal would miss."""
    statement = Sql.of("select true from workspaces where id = ? for key share", tx.workspace_id)
    return await tx.value(statement) is not None


class _Account:
    """One workspace in one process.

    `unleased` and `leased` are calls by day that aren't written yet; `leased_left` may still be let through, `others`
    was left beside at the last lease; `known` is what is written of the month, where overage wants to know.
    """

    def __init__(self, workspace_id: UUID, terms: Terms, now: float) -> None:
        self.workspace_id, self.terms = workspace_id, terms
        self.unleased: Counter[date] = Counter()
        self.leased: Counter[date] = Counter()
        self.leased_left = self.others = 0
        self.known: int | None = None
        self.refused_until = 0.0
        self.busy = True
        self.asking, self.writing = asyncio.Lock(), asyncio.Lock()
        self._set_day(now)

    def turn(self, now: float) -> None:
        """Another day; with another month nothing is left of what was leased."""
        before = self.month
        self._set_day(now)
        if self.month != before:
            self.agree(self.terms)

    def agree(self, terms: Terms) -> None:
        self.terms = terms
        self.leased_left = self.others = 0
        self.known, self.refused_until = None, 0.0

    def _set_day(self, now: float) -> None:
        today = datetime.fromtimestamp(now, UTC).date()
        self.day, self.month = today, today.replace(day=1)
        self.day_ends = datetime.combine(today + timedelta(days=1), datetime.min.time(), UTC).timestamp()
        self.resets_at = resets_at(self.month)
        self.unlimited = Allowance(UNLIMITED, UNLIMITED, self.resets_at)

    @property
    def is_empty(self) -> bool:
        return not (+self.unleased or +self.leased or self.leased_left or self.asking.locked())

    def allowance(self) -> Allowance:
        limit, may_exceed = self.terms
        if limit is None:
            return self.unlimited
        used = (self.known or 0) + self.unleased.total()
        remaining = limit - used if may_exceed else self.leased_left + self.others
        return Allowance(limit, max(0, remaining), self.resets_at)
