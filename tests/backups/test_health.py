"""Whether backups are good is told by the age of the newest good one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.backups.archives import not_restorable
from tests.backups.vault import Vault
from tests.product import answered, wait_for


def test_a_policy_without_a_good_backup_for_two_periods_is_told_once(vault: Vault) -> None:
    vault.bucket.rule = lambda method, path: 503 if method == "PUT" else None
    policy = vault.policy(destination=vault.bucket.url, schedule="0 * * * *")
    assert policy["overdue_since"] is None
    vault.clock.pass_by(hours=3)
    wait_for(lambda: vault.seen(policy)["overdue_since"])
    failed = vault.next_run(policy)
    assert failed["status"] == "failed"
    vault.clock.pass_by(hours=3)
    vault.next_run(policy, beyond=1)
    [event] = vault.told("backup.overdue")
    assert (event["resource_type"], str(event["resource_id"])) == ("backup_policy", policy["id"])
    assert json.loads(event["changes"])["newest_good_at"] == {"from": None, "to": None}
    vault.bucket.rule = None
    vault.clock.ahead *= 0
    assert vault.back_up(policy)["status"] == "completed"
    wait_for(lambda: True if vault.seen(policy)["overdue_since"] is None else None)


def test_a_policy_that_runs_as_it_should_is_never_overdue(vault: Vault) -> None:
    policy = vault.policy()
    vault.back_up(policy)
    vault.clock.pass_by(hours=20)
    other = vault.policy(name="another that comes due", schedule="* * * * *")
    vault.clock.pass_by(minutes=1, seconds=1)
    vault.next_run(other)
    assert [event for event in vault.told("backup.overdue") if str(event["resource_id"]) == policy["id"]] == []


def test_a_policy_that_begins_again_has_the_time_of_a_new_one(vault: Vault) -> None:
    policy = vault.policy(active=False)
    vault.clock.pass_by(days=30)
    change = {"active": True}
    answered(vault.workspace.admin.patch(f"/backup-policies/{policy['id']}", json=change), 200)
    other = vault.policy(name="other", schedule="* * * * *")
    vault.clock.pass_by(minutes=1, seconds=1)
    vault.next_run(other)
    assert vault.seen(policy)["overdue_since"] is None


@pytest.mark.parametrize("method", ["never", "hashes"])
@pytest.mark.parametrize(("harm", "said"), [(Path.unlink, "lost"), (lambda path: path.write_bytes(b""), "damaged")])
def test_a_backup_that_is_lost_at_its_destination_counts_as_good_no_longer(
    vault: Vault, method: str, harm: Callable[[Path], object], said: str
) -> None:
    policy = vault.policy(verify=method, schedule="0 * * * *")
    run = vault.back_up(policy)
    harm(vault.at(run))
    for _ in range(2):
        asked = answered(vault.workspace.robot.post("/backups/rehearse", json={"backup_id": run["id"]}), 202)
        job = vault.workspace.finished("backups/rehearsals", asked)
        assert (job["status"], job["result"]) == ("failed", "failed")
        assert job["findings"][0]["code"] == f"backup_{said}"
        assert "the file at the backup's destination" in job["error"]
    [event] = vault.told("backup.verification_failed")
    assert str(event["resource_id"]) == run["id"]
    [found] = vault.runs(policy_id=policy["id"])
    assert (found["verified_at"], found["verification"]["result"]) == (None, said)
    assert vault.seen(policy)["newest_verified"] is None
    vault.clock.pass_by(hours=3)
    wait_for(lambda: vault.seen(policy)["overdue_since"])


@pytest.mark.parametrize("method", ["never", "hashes"])
def test_a_backup_that_is_back_and_passes_its_rehearsal_counts_as_good_again(vault: Vault, method: str) -> None:
    policy = vault.policy(verify=method, schedule="0 * * * *")
    run = vault.back_up(policy)
    aside = vault.at(run).rename(vault.directory / "aside")
    assert rehearsed(vault, run) == "failed"
    aside.rename(vault.at(run))
    assert rehearsed(vault, run) == "passed"
    [found] = vault.runs(policy_id=policy["id"])
    assert found["verified_at"] is not None
    assert found["updated_at"] == found["verified_at"]
    assert found["verification"] == {"method": "rehearse", "result": "fine", "findings": []}
    assert vault.seen(policy)["newest_verified"]["id"] == run["id"]


@pytest.mark.parametrize("method", ["never", "hashes"])
def test_a_backup_that_fails_a_later_rehearsal_counts_as_good_no_longer(vault: Vault, method: str) -> None:
    policy = vault.policy(verify=method, schedule="0 * * * *")
    run = vault.back_up(policy)
    archive = not_restorable(vault.at(run).read_bytes())
    vault.at(run).write_bytes(archive)
    statement = "update backups set sha256 = $1, file_size = $2 where id = $3"
    vault.sight.rows(statement, hashlib.sha256(archive).hexdigest(), len(archive), run["id"])
    assert [rehearsed(vault, run), rehearsed(vault, run)] == ["failed", "failed"]
    [event] = vault.told("backup.verification_failed")
    assert str(event["resource_id"]) == run["id"]
    [found] = vault.runs(policy_id=policy["id"])
    assert (found["verified_at"], found["verification"]["result"]) == (None, "not restorable")
    assert vault.seen(policy)["newest_verified"] is None


def rehearsed(vault: Vault, run: dict[str, Any]) -> str:
    """The result of a rehearsal of a run's backup."""
    asked = answered(vault.workspace.robot.post("/backups/rehearse", json={"backup_id": run["id"]}), 202)
    return str(vault.workspace.finished("backups/rehearsals", asked)["result"])
