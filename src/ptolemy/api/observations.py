"""What is looked up in the database when Prometheus asks: the queue, the feed, backups. One function each."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, Gauge

from ptolemy.backups.health import PolicyHealth, health_everywhere
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.webhooks.backlog import Backlog, backlog_everywhere

Observation = Callable[[CollectorRegistry, Database], Awaitable[None]]

_BACKUPS_SECONDS = 60
"""The health of backups asks each workspace: no more often than this, whoever scrapes."""
_WEBHOOKS_SECONDS = 5
"""The queues of webhooks ask each workspace that has some."""


async def observed(database: Database) -> CollectorRegistry:
    """Gauges as of now."""
    registry = CollectorRegistry()
    for observe in OBSERVATIONS:
        await observe(registry, database)
    return registry


async def _jobs(registry: CollectorRegistry, database: Database) -> None:
    depth = Gauge(
        "ptolemy_jobs",
        "Jobs in the queue, by kind: running, due (nobody has taken them yet), or waiting for their time.",
        ("kind", "state"),
        registry=registry,
    )
    oldest = Gauge(
        "ptolemy_job_oldest_due_seconds",
        "How long the oldest due job has been waiting for a worker.",
        registry=registry,
    )
    async with database.session() as session:
        rows = await session.rows(
            Sql(
                "select kind, case when lease_until >= now() then 'running' when run_at <= now() then 'due'"
                " else 'waiting' end as state, count(*) as jobs,"
                " extract(epoch from now() - min(run_at))::float8 as waited"
                " from jobs group by 1, 2 order by 1, 2"
            )
        )
    for row in rows:
        depth.labels(row["kind"], row["state"]).set(row["jobs"])
    oldest.set(max((row["waited"] for row in rows if row["state"] == "due"), default=0))


async def _connections(registry: CollectorRegistry, database: Database) -> None:
    gauge = Gauge(
        "ptolemy_database_connections",
        "Connections of this process, by pool: busy, idle, and the most that there may be.",
        ("pool", "state"),
        registry=registry,
    )
    for pool, found in database.connections().items():
        for state, connections in found._asdict().items():
            gauge.labels(pool, state).set(connections)


@dataclass
class _Horizon:
    """The feed tells what lies below it; while one transaction stays open it stands still."""

    xmin: int = 0
    since: float = field(default_factory=time.monotonic)

    async def observe(self, registry: CollectorRegistry, database: Database) -> None:
        async with database.session() as session:
            row = await session.row(
                Sql(
                    "select pg_snapshot_xmin(now)::text::bigint as xmin, pg_snapshot_xmax(now)::text::bigint as xmax"
                    " from pg_current_snapshot() as now"
                )
            )
        assert row is not None  # noqa: S101 - a row of functions
        behind = row["xmax"] - row["xmin"]
        if row["xmin"] != self.xmin or not behind:
            self.xmin, self.since = row["xmin"], time.monotonic()
        Gauge(
            "ptolemy_events_horizon_transactions",
            "Transactions that began since the oldest one that is still open: the feed waits for that one.",
            registry=registry,
        ).set(behind)
        Gauge("ptolemy_events_horizon_lag_seconds", "For how long, as far as it was seen.", registry=registry).set(
            time.monotonic() - self.since if behind else 0
        )


@dataclass
class _Backups:
    found: Sequence[PolicyHealth] = ()
    looked_at: float = -_BACKUPS_SECONDS

    async def observe(self, registry: CollectorRegistry, database: Database) -> None:
        if time.monotonic() - self.looked_at >= _BACKUPS_SECONDS:
            self.looked_at = time.monotonic()
            self.found = await health_everywhere(database, datetime.now(UTC))
        policies = Gauge("ptolemy_backup_policies", "Active backup policies, by health.", ("level",), registry=registry)
        for level in ("ok", "late", "too_old"):
            policies.labels(level).set(sum(each.level == level for each in self.found))
        Gauge(
            "ptolemy_backup_age_seconds",
            "The age of the newest good backup, of the active policy where it is oldest.",
            registry=registry,
        ).set(max((each.age for each in self.found), default=timedelta()).total_seconds())


@dataclass
class _Webhooks:
    found: Backlog = field(default_factory=Backlog)
    looked_at: float = -_WEBHOOKS_SECONDS

    async def observe(self, registry: CollectorRegistry, database: Database) -> None:
        if time.monotonic() - self.looked_at >= _WEBHOOKS_SECONDS:
            self.looked_at = time.monotonic()
            self.found = await backlog_everywhere(database)
        queue = Gauge(
            "ptolemy_webhook_deliveries",
            "Deliveries to active webhooks in the queue: due, or waiting for their next attempt.",
            ("state",),
            registry=registry,
        )
        queue.labels("due").set(self.found.due)
        queue.labels("waiting").set(self.found.waiting)
        Gauge(
            "ptolemy_webhook_oldest_due_seconds",
            "How long the oldest due delivery has been due, or a workspace with webhooks has waited for a worker.",
            registry=registry,
        ).set(self.found.oldest_due_seconds)


OBSERVATIONS: Sequence[Observation] = (
    _jobs,
    _connections,
    _Horizon().observe,
    _Backups().observe,
    _Webhooks().observe,
)
