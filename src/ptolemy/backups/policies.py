"""Policies: when to back the workspace up, where to, for how long to keep it, and how to prove it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from ptolemy.backups.cron import Cron, next_turn
from ptolemy.backups.destinations import Destination, refusal
from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine.fields import Boolean, Choice, Computed, Integer, Text, Timestamp, Timezone
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.write import Write
from ptolemy.kernel.json import decode_exact, encode
from ptolemy.kernel.timestamps import parse_timestamp, write_timestamp

VERIFY = ("never", "hashes", "rehearse")
LONGEST_NAME = 255
_MOST = 36_500
"""A hundred years of days, or of daily backups."""
_INSTANTS = ("taken_at", "verified_at", "completed_at")


class _Run(Computed[dict[str, Any]]):
    """The newest run of the policy that fulfils a condition."""

    names: Sequence[str]
    condition: str

    def sql(self, table: str, workspace_id: UUID) -> Sql:
        members = ", ".join(f"'{name}', b.{name}" for name in self.names)
        return Sql.of(
            f"(select json_build_object({members}) from backups b"
            f" where b.workspace_id = ? and b.policy_id = {table}.id and {self.condition}"
            " order by b.id desc limit 1)",
            workspace_id,
        )

    def show(self, stored: Any) -> Any:
        said = decode_exact(stored)
        instants = {name: write_timestamp(parse_timestamp(said[name])) for name in _INSTANTS if said.get(name)}
        return msgspec.Raw(encode(said | instants))


def _shown(*names: str) -> dict[str, Any]:
    instant = {"type": ["string", "null"], "format": "date-time"}
    kinds = {
        "id": {"type": "string", "format": "uuid"},
        "status": {"type": "string"},
        "error": {"type": ["string", "null"]},
    }
    return {
        "type": "object",
        "properties": {name: kinds.get(name, instant) for name in names},
        "required": list(names),
    }


class LastRun(_Run):
    names = ("id", "status", "taken_at", "completed_at", "error")
    shown = _shown(*names)
    condition = "true"


class NewestVerified(_Run):
    names = ("id", "taken_at", "verified_at")
    shown = _shown(*names)
    condition = "b.verified_at is not null and b.removed_at is null"


class BackupPolicies(Resource):
    """When the whole workspace is backed up by itself, where to, and for how long it is kept there.

    `next_run_at` is null while it is not `active`. `newest_verified` tells how good the policy is: what it holds is as
    of `taken_at`. `overdue_since` is set while that is too long ago for the schedule.
    """

    singular = "backup_policy"
    collection = "backup-policies"
    lifecycle = Lifecycle(archive=False, hard_delete=True)
    write_role = "admin"
    named_by = "name"

    name = Text(required=True, max_length=LONGEST_NAME)
    schedule = Cron(required=True)
    timezone = Timezone(required=True, default="UTC")
    destination = Destination(required=True)
    format = Choice("zip", required=True, default="zip")
    keep_last = Integer()
    keep_days = Integer()
    verify = Choice(*VERIFY, required=True, default="hashes")
    active = Boolean(required=True, default=True)
    scheduled_since = Timestamp(required=True, derived=True)
    next_run_at = Timestamp(derived=True)
    overdue_since = Timestamp(derived=True)
    last_run = LastRun()
    newest_verified = NewestVerified()

    unique = [Unique(name)]

    def __init__(self, surroundings: Surroundings | None = None) -> None:
        self._surroundings = surroundings or Surroundings()

    @classmethod
    def key_fault(cls, key: str) -> str | None:
        return None if 0 < len(key) <= LONGEST_NAME else f"must have 1 to {LONGEST_NAME} characters"

    async def before_write(self, tx: Transaction, writes: Sequence[Write]) -> None:
        """A new schedule counts from now on; a destination must be one that the operator allows."""
        for write in writes:
            if any(write.changed(of) for of in (self.schedule, self.timezone, self.active)):
                self._reschedule(write)
            if write.changed(self.destination):
                reason = await refusal(write.new["destination"], self._surroundings)
                if reason:
                    write.refuse_field("destination", "destination_refused", reason)

    def _reschedule(self, write: Write) -> None:
        now = self._surroundings.now()
        turn = next_turn(write.new["schedule"], write.new["timezone"], now)
        write.new |= {
            "scheduled_since": now,
            "next_run_at": turn if write.get(self.active) else None,
            "overdue_since": None,
        }

    def check(self, write: Write) -> None:
        if not write.new["name"].strip():
            write.refuse_field("name", "invalid_name", "must not be blank")
        for of in (self.keep_last, self.keep_days):
            number = write.get(of)
            if number is not None and number < 1:
                write.refuse_field(of.name, "not_positive", "must be 1 or more, or null to keep all")
            elif number is not None and number > _MOST:
                write.refuse_field(of.name, "out_of_range", f"must be at most {_MOST}, or null to keep all")
