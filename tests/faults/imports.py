"""An import under way: where it stands, killing its workers, and whether in the end everything about it adds up."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec

from tests.faults.files import Sent
from tests.faults.ground import Ground, kill
from tests.product import Workspace, answered, wait_for

_LATEST = 0.6
"""Of the rows: a worker that is killed later might have finished before the signal comes."""
_JITTER_SECONDS = 0.04


def upload(workspace: Workspace, sent: Sent, on_error: str) -> dict[str, Any]:
    files, asked = {"file": sent.content}, {"resource_type": sent.resource_type, "on_error": on_error}
    return answered(workspace.robot.post("/imports", files=files, data=asked), 202)


def moments(kills: int, sent: Sent, seed: int) -> Iterator[int]:
    """Numbers of rows, growing: one anywhere in each of as many equal parts of the file."""
    chance = random.Random(seed)
    for part in range(kills):
        yield int((part + chance.random()) / kills * _LATEST * sent.rows)


def kill_workers(ground: Ground, job: dict[str, Any], processed: Sequence[int]) -> None:
    """One worker after the other, the first when it has processed so many rows, and so on; another one goes on."""
    for attempt, rows in enumerate(processed, start=1):
        worker = ground.worker()
        wait_until_processed(ground, job, rows, attempt)
        pass_a_moment(worker)
        kill(worker)
        assert under_way(ground, job), "the import ended before its worker was killed"
        check_half_way(ground, job)
    ground.worker()


def wait_until_processed(ground: Ground, job: dict[str, Any], rows: int, attempt: int = 1) -> None:
    """Till the import is so far, in its so-manyth attempt or a later one."""
    statement = (
        "select attempts >= $2 and status = 'processing' and rows_processed >= $3 as reached, status"
        " from imports left join jobs using (id) where id = $1"
    )

    def reached() -> bool | None:
        [seen] = ground.sight.rows(statement, UUID(job["id"]), attempt, rows)
        assert seen["status"] in ("queued", "processing"), "the import ended before anything could happen to it"
        return seen["reached"] or None

    wait_for(reached)


def pass_a_moment(worker: subprocess.Popen[str]) -> None:
    # Else the signal would always come right behind a commit.
    with suppress(subprocess.TimeoutExpired):
        worker.wait(random.random() * _JITTER_SECONDS)


def under_way(ground: Ground, job: dict[str, Any]) -> bool:
    return bool(ground.sight.value("select count(*) from jobs where id = $1", UUID(job["id"])))


def check_half_way(ground: Ground, job: dict[str, Any]) -> None:
    """What is in is what the import says is in: of an `abort` import nothing."""
    [seen] = ground.sight.rows(
        "select on_error, rows_imported, rows_processed, rows_failed,"
        f" (select count(*) from {job['resource_type']} r where r.workspace_id = i.workspace_id) as stored,"
        " (select count(*) from import_errors e where e.import_id = i.id) as errors"
        " from imports i where id = $1",
        UUID(job["id"]),
    )
    assert seen["errors"] == seen["rows_failed"]
    if job["resource_type"] == "instruments":
        assert seen["stored"] == seen["rows_imported"]
    if seen["on_error"] == "abort":
        assert seen["rows_imported"] == 0
    else:
        assert seen["rows_imported"] + seen["rows_failed"] == seen["rows_processed"]


def check_completed(ground: Ground, workspace: Workspace, job: dict[str, Any], sent: Sent) -> None:
    """Waits for its end. Every good row is in once, every bad one is named once, and all that counts them agrees."""
    ended = workspace.finished("imports", job)
    counted = [ended[name] for name in ("status", "row_count", "rows_processed", "rows_imported", "rows_failed")]
    assert counted == ["completed", sent.rows, sent.rows, sent.good, len(sent.errors)], ended
    assert sum(entry["count"] for entry in ended["error_summary"]) == len(sent.errors)
    assert refused(ground, job) == list(sent.errors)
    check_stored(ground, workspace, sent.resource_type, sent.good)
    assert endings(ground, job) == ["import.completed"]
    wait_for(lambda: True if not ground.uploads() and not under_way(ground, job) else None)


def check_stored(ground: Ground, workspace: Workspace, resource_type: str, number: int) -> None:
    """So many records, counted so, each with one event where it has one of its own."""
    asked = "from {} t join workspaces w on w.id = t.workspace_id where w.slug = $1"
    assert ground.sight.value(f"select count(*) {asked.format(resource_type)}", workspace.slug) == number
    items = f"select coalesce(sum(items), 0)::bigint {asked.format('item_counts')} and kind = $2"
    assert ground.sight.value(items, workspace.slug, resource_type) == number
    if resource_type != "instruments":
        return
    created = f"select count(*), count(distinct resource_id) as records {asked.format('events')} and event_type = $2"
    assert ground.sight.rows(created, workspace.slug, "instrument.created") == [{"count": number, "records": number}]


def refused(ground: Ground, job: dict[str, Any]) -> list[tuple[Any, ...]]:
    statement = 'select "row", line, field, code from import_errors where import_id = $1 order by "row", id'
    return [tuple(row.values()) for row in ground.sight.rows(statement, UUID(job["id"]))]


def endings(ground: Ground, job: dict[str, Any]) -> list[str]:
    return ground.sight.column("select event_type from events where resource_id = $1", UUID(job["id"]))


def exported(workspace: Workspace, resource_type: str) -> list[dict[str, Any]]:
    """The rows of an export, in an order and without what differs from one import to the next."""
    rows: list[dict[str, Any]] = msgspec.json.decode(workspace.export(resource_type))
    for row in rows:
        for name in ("id", "created_at", "updated_at", "instrument_id"):
            row.pop(name, None)
    return sorted(rows, key=msgspec.json.encode)
