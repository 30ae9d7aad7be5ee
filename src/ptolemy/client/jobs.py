"""Waiting for what the server does in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ptolemy.client.errors import JobFailed, PtolemyError, ServerError, Unreachable
from ptolemy.client.progress import Progress, Tell

if TYPE_CHECKING:
    from ptolemy.client.client import Client

_UNDER_WAY = ("queued", "processing")
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 2.0

Describe = Callable[[Mapping[str, Any]], Progress]


def path_of(job: Mapping[str, Any]) -> str:
    """Where an export or an import is looked at."""
    return f"/{'imports' if 'on_error' in job else 'exports'}/{job['id']}"


def wait(client: Client, path: str, *, timeout_seconds: float | None, tell: Tell) -> dict[str, Any]:
    """The completed job; it is asked for ever more seldom. An outage ends the wait after the client's patience."""
    kind = path.split("/")[-2].removesuffix("s")
    began = seen = time.monotonic()
    pause = _FIRST_WAIT_SECONDS
    while True:
        try:
            job = client.ask("GET", path)
            seen = time.monotonic()
        except (Unreachable, ServerError):
            if time.monotonic() - seen > client.patience.outage_seconds:
                raise
        else:
            _tell(job, kind, tell)
            if job["status"] == "completed":
                return job
            if job["status"] not in _UNDER_WAY:
                raise JobFailed(job, kind)
        if timeout_seconds is not None and time.monotonic() - began > timeout_seconds:
            raise PtolemyError(f"the {kind} has not ended after {timeout_seconds:g} seconds; it goes on: {path}")
        time.sleep(pause)
        pause = min(_LONGEST_WAIT_SECONDS, pause * 1.5)


def _tell(job: Mapping[str, Any], kind: str, tell: Tell) -> None:
    if kind == "export":
        tell(Progress(job["resource_type"], "exporting", job["rows_written"], job["row_count"], "rows"))
    elif kind == "import":
        tell(Progress(job["resource_type"], "importing", job["rows_processed"], job["row_count"], "rows"))
    else:
        tell(Progress("workspace", "rehearsing", job["rows_restored"], None, "rows"))
