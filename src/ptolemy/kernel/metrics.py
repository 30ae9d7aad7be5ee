"""What this process has done, counted for Prometheus. Labels are bounded: operations and kinds, never ids or paths."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector

REGISTRY = CollectorRegistry()
"""One a process: what is counted deep in a room needn't be handed down to it."""

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_REQUESTS = Histogram(
    "ptolemy_request_seconds",
    "Requests, by operation (none: an unknown address) and status, and how long they took.",
    ("operation", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
_JOBS = Histogram(
    "ptolemy_job_seconds",
    "Attempts at jobs of this process, by kind and what became of them, and how long they took.",
    ("kind", "outcome"),
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600),
    registry=REGISTRY,
)
_IMPORT_ROWS = Counter(
    "ptolemy_import_rows",
    "Rows of imports that this process has ended, by what became of them.",
    ("outcome",),
    registry=REGISTRY,
)
_STORAGE_ERRORS = Counter(
    "ptolemy_storage_errors",
    "Times that the file store, or the destination of a backup, could not be used, or was full.",
    ("reason",),
    registry=REGISTRY,
)
_FORGOTTEN = Counter(
    "ptolemy_forgotten_rows", "Rows that upkeep has removed because their time was over.", ("what",), registry=REGISTRY
)


def request_ended(operation: str, status: int, seconds: float) -> None:
    _of_request(operation, status).observe(seconds)


def job_ended(kind: str, outcome: str, seconds: float) -> None:
    """`done`, `failed` (and tried again), `interrupted`, or `lost` to another worker or to an outage."""
    _JOBS.labels(kind, outcome).observe(seconds)


def rows_imported(*, created: int, updated: int, failed: int) -> None:
    for outcome, rows in (("created", created), ("updated", updated), ("failed", failed)):
        _IMPORT_ROWS.labels(outcome).inc(rows)


def storage_failed(reason: str) -> None:
    _STORAGE_ERRORS.labels(reason).inc()


def rows_forgotten(what: str, rows: int) -> None:
    if rows:
        _FORGOTTEN.labels(what).inc(rows)


@lru_cache(maxsize=10_000)
def _of_request(operation: str, status: int) -> Histogram:
    # `labels` takes a lock and makes texts of its values: kept, a request costs a third.
    return _REQUESTS.labels(operation, str(status))
