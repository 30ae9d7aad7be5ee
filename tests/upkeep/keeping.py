"""A workspace for which time passes, and the upkeep that its product's own worker does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.faults.ground import Sight
from tests.product import Workspace, answered, wait_for

Body = dict[str, Any]

AT_MOST_DAYS = 100
"""How long the operator of this product has events kept at most, whatever the plan."""

KEPT_FOR_A_TIME = (
    "events",
    "exports",
    "imports",
    "backups",
    "rehearsals",
    "backup_restores",
    "uploads",
    "idempotency_keys",
    "webhook_deliveries",
)


@dataclass(frozen=True)
class Keeping:
    """`folder` is the product's file store."""

    workspace: Workspace
    folder: Path
    sight: Sight

    @cached_property
    def workspace_id(self) -> UUID:
        return UUID(answered(self.workspace.admin.get("/"), 200)["id"])

    def on_plan(self, plan: str) -> None:
        self.sight.rows("update workspaces set plan = $2 where id = $1", self.workspace_id, plan)

    def pass_by(self, **duration: float) -> None:
        """So much time passes: whatever is kept for a time, all that happened to it lies so much further back."""
        for table in KEPT_FOR_A_TIME:
            instants = self.sight.column(
                "select column_name from information_schema.columns"
                " where table_schema = 'public' and table_name = $1 and data_type = 'timestamp with time zone'",
                table,
            )
            older = ", ".join(f"{instant} = {instant} - $2::interval" for instant in instants)
            self.sight.rows(
                f"update {table} set {older} where workspace_id = $1", self.workspace_id, timedelta(**duration)
            )

    def upkeep(self) -> None:
        """The worker looks after all workspaces, from the first to the last."""
        self.begin_upkeep()
        self.end_upkeep()

    def begin_upkeep(self) -> None:
        # One that is under way may have been here already.
        due = "update jobs set run_at = now() where kind = 'upkeep' and lease_token is null returning true"
        wait_for(lambda: self.sight.value(due))

    def end_upkeep(self) -> None:
        done = "select true from jobs where kind = 'upkeep' and lease_token is null and run_at > now() and failures = 0"
        wait_for(lambda: self.sight.value(done))

    def count(self, table: str) -> int:
        number: int = self.sight.value(f"select count(*) from {table} where workspace_id = $1", self.workspace_id)
        return number

    def files(self) -> list[Path]:
        """What lies in the file store."""
        return sorted(path for path in (self.folder / str(self.workspace_id)).rglob("*") if path.is_file())
