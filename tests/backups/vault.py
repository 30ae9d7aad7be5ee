"""A product whose backups go by a clock that a test sets, and whose destinations are a directory and a bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.faults.ground import Sight
from tests.product import Workspace, answered, wait_for
from tests.s3 import Bucket

Events = Callable[..., list[str]]


@dataclass
class Clock:
    """Runs with the wall's, and is set ahead."""

    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_by(self, **duration: float) -> None:
        self.ahead += timedelta(**duration)

    def set_behind(self, instant: str) -> None:
        """To a second after an instant as an answer tells it."""
        self.ahead = datetime.fromisoformat(instant) + timedelta(seconds=1) - datetime.now(UTC)


@dataclass
class Vault:
    """One workspace, the directory that its backups may go to, and the bucket."""

    workspace: Workspace
    directory: Path
    files: Path
    bucket: Bucket
    clock: Clock
    sight: Sight

    def policy(self, **more: Any) -> dict[str, Any]:
        asked = {"name": "nightly", "schedule": "0 2 * * *", "destination": self.directory.as_uri(), **more}
        return answered(self.workspace.admin.post("/backup-policies", json=asked), 201)

    def seen(self, policy: dict[str, Any]) -> dict[str, Any]:
        """The policy as it is now."""
        return answered(self.workspace.admin.get(f"/backup-policies/{policy['id']}"), 200)

    def come_due(self, policy: dict[str, Any]) -> None:
        self.clock.set_behind(self.seen(policy)["next_run_at"])

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """The newest first."""
        found: list[dict[str, Any]] = answered(self.workspace.admin.get("/backups", params=wanted), 200)["data"]
        return found

    def next_run(self, policy: dict[str, Any], *, beyond: int = 0) -> dict[str, Any]:
        """The ended run of a policy that has had so many before."""

        def ended() -> dict[str, Any] | None:
            runs = self.runs(policy_id=policy["id"])
            over = len(runs) > beyond and runs[0]["status"] not in ("queued", "processing")
            return runs[0] if over else None

        return wait_for(ended)

    def back_up(self, policy: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """A run asked for by hand, once it has ended."""
        asked = {"policy_id": policy["id"]} if policy else {}
        job = answered(self.workspace.admin.post("/backups", json=asked | more), 202)
        self.workspace.finished("backups", job)
        run: dict[str, Any] = answered(self.workspace.admin.get(f"/backups/{job['id']}"), 200)
        return run

    def at(self, run: dict[str, Any]) -> Path:
        """The file of a run in the directory."""
        location: str = run["location"]
        return self.directory / location.removeprefix(f"{self.directory.as_uri()}/")

    def kept(self) -> set[str]:
        """The ids of the runs whose files lie in the directory."""
        return {path.stem[-36:] for path in self.directory.rglob("*.zip")}

    def told(self, *words: str) -> list[dict[str, Any]]:
        """The events about backups, oldest first; those of these kinds where some are named."""
        rows = self.sight.rows(
            "select e.* from events e join workspaces w on w.id = e.workspace_id"
            " where w.slug = $1 and e.event_type like 'backup%' order by e.epoch, e.xid, e.id",
            self.workspace.slug,
        )
        return [row for row in rows if not words or row["event_type"] in words]
