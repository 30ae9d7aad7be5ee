"""Takes jobs from the queue and runs them, a few at a time, until it is stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import structlog

from ptolemy.database.outage import DISCONNECTED, NO_ROOM, OUTAGE
from ptolemy.database.pool import Database
from ptolemy.database.transaction import Session
from ptolemy.jobs import queue
from ptolemy.jobs.job import Handler, Interrupted, Job, LeaseLost
from ptolemy.jobs.schedule import Schedule, arrange
from ptolemy.jobs.wakeup import listen
from ptolemy.kernel import metrics, tracing
from ptolemy.kernel.problems import Problem
from ptolemy.kernel.waiting import set_within

log = structlog.get_logger("ptolemy.jobs")


@dataclass(frozen=True)
class JobPace:
    """A dead worker's job is taken up after `lease_seconds + poll_seconds` at most."""

    lease_seconds: float = 20
    heartbeat_seconds: float = 5
    poll_seconds: float = 2
    """How often to look at an idle queue, should a notification have got lost."""
    retry_seconds: float = 2
    """The wait after the first failure, doubled with each further one."""
    longest_retry_seconds: float = 300
    max_failures: int = 5
    max_attempts: int = 20
    """Counts attempts that ended with their worker, too: a job that kills every worker must end some time."""
    grace_seconds: float = 10
    """How long handlers have to end their batch once the worker is stopped."""


class Runner:
    """One worker. `run()` works until `stop()`; give as many processes as you like the same database."""

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        concurrency: int = 2,
        schedules: Sequence[Schedule] = (),
        pace: JobPace | None = None,
        at_rest: Callable[[], None] = lambda: None,
    ) -> None:
        """`at_rest` is called whenever the last job that ran has ended."""
        self._database, self._handlers, self._at_rest = database, handlers, at_rest
        self._concurrency, self._schedules, self._pace = concurrency, schedules, pace or JobPace()
        self._running: dict[UUID, tuple[Job, asyncio.Task[None]]] = {}
        self._stopping, self._wake, self._beat_now = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Works until stopped; jobs that are unfinished then are given back for others to take at once."""
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(listen(self._database, self._hear)), tasks.create_task(self._heartbeat())]
            await self._until_reachable(lambda session: arrange(session, self._schedules))
            while not self._stopping.is_set():
                self._wake.clear()
                for job in await self._claim():
                    self._running[job.lease_token] = job, tasks.create_task(self._attempt(job))
                await set_within(self._wake, self._pace.poll_seconds)
            await self._leave()
            for task in background:
                task.cancel()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def _hear(self, message: str) -> None:
        (self._beat_now if message == "cancel" else self._wake).set()

    async def _claim(self) -> list[Job]:
        free = self._concurrency - len(self._running)
        if not free:
            return []
        lease = self._pace.lease_seconds
        try:
            async with asyncio.timeout(lease), self._database.session() as session:
                claimed = await queue.claim(session, list(self._handlers), free, lease)
        except OUTAGE as error:
            log.warning("jobs_unreachable", reason=str(error))
            return []
        return [Job.of(one, self._stopping, lease) for one in claimed]

    async def _attempt(self, job: Job) -> None:
        started, outcome = time.perf_counter(), "lost"
        try:
            about = {"ptolemy.job_id": str(job.id), "ptolemy.attempt": job.attempts}
            with tracing.job_span(f"job {job.kind}", about, job.traceparent):
                await self._work(job)
            outcome = "done"
        except LeaseLost:
            log.warning("job_lost", kind=job.kind, job_id=str(job.id))
        except (Interrupted, asyncio.CancelledError):
            outcome = "interrupted"
            await self._until_reachable(lambda session: queue.release(session, job.id, job.lease_token))
        except DISCONNECTED as error:
            # No fault of the job: it is taken up when the lease ends, and `max_attempts` bounds how often.
            log.warning("job_disconnected", kind=job.kind, job_id=str(job.id), reason=str(error))
        except asyncpg.DiskFullError as error:
            outcome = "failed"
            log.warning("database_failed", code="database_full", kind=job.kind, job_id=str(job.id), reason=str(error))
            await self._fail(job, NO_ROOM)
        except Exception as error:  # the outermost loop of every job
            outcome = "failed"
            log.exception("job_failed", kind=job.kind, job_id=str(job.id), failures=job.failures + 1)
            await self._fail(job, f"{type(error).__name__}: {error}")
        finally:
            metrics.job_ended(job.kind, outcome, time.perf_counter() - started)
            del self._running[job.lease_token]
            if not self._running:
                self._at_rest()
            self._wake.set()

    async def _work(self, job: Job) -> None:
        handler = self._handlers[job.kind]
        if job.failures >= self._pace.max_failures or job.attempts > self._pace.max_attempts:
            await handler.gave_up(job, job.last_error or "the worker died each time it worked on this")
        else:
            try:
                await handler.run(job)
            except Problem as problem:
                await handler.gave_up(job, problem.detail)
        await self._until_reachable(lambda session: queue.finish(session, job.id, job.lease_token))

    async def _fail(self, job: Job, reason: str) -> None:
        wait = min(self._pace.retry_seconds * 2**job.failures, self._pace.longest_retry_seconds)
        if job.failures + 1 == self._pace.max_failures:
            wait = 0  # the next one only gives up
        await self._until_reachable(lambda session: queue.fail(session, job.id, job.lease_token, reason, wait))

    async def _until_reachable(self, change: Callable[[Session], Awaitable[object]]) -> None:
        """Makes the change, through an outage shorter than a lease; after a longer one the lease has ended anyway."""
        deadline = asyncio.get_running_loop().time() + self._pace.lease_seconds
        while True:
            try:
                async with asyncio.timeout_at(deadline), self._database.session() as session:
                    await change(session)
                return
            except OUTAGE as error:
                if asyncio.get_running_loop().time() >= deadline:
                    log.error("jobs_unreachable", reason=str(error))
                    return
            await asyncio.sleep(self._pace.lease_seconds / 40)

    async def _heartbeat(self) -> None:
        while True:
            await set_within(self._beat_now, self._pace.heartbeat_seconds)
            self._beat_now.clear()
            working = {token: pair for token, pair in self._running.items() if not pair[0].finished()}
            if not working:
                continue
            lease = self._pace.lease_seconds
            try:
                async with asyncio.timeout(lease), self._database.session() as session:
                    held = {one.lease_token: one for one in await queue.renew(session, list(working), lease)}
            except OUTAGE as error:
                log.warning("jobs_unreachable", reason=str(error))
                continue
            for token, (job, task) in working.items():
                if token not in held and token in self._running and not job.finished():
                    task.cancel()  # another worker has it: nothing this one does can be committed
                elif token in held and held[token].cancel_requested:
                    job.request_cancel()

    async def _leave(self) -> None:
        tasks = [task for _, task in self._running.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._pace.grace_seconds)
        for task in late:
            task.cancel()
        await asyncio.wait(tasks)
