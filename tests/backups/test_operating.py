"""What the operator sees of backups, and does about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.backups.vault import Vault
from tests.cli.command import failed, ptolemy
from tests.product import answered, wait_for


def variables(vault: Vault) -> dict[str, str]:
    return {"PTOLEMY_DATABASE_URL": vault.sight.dsn, "PTOLEMY_BACKUP_DIRECTORIES": str(vault.directory.parent)}


def prune(vault: Vault, data_dir: Path, *arguments: str) -> dict[str, Any]:
    chosen = ("--workspace", vault.workspace.slug)
    done = ptolemy("backups", "prune", "--json", *chosen, *arguments, data_dir=data_dir, **variables(vault))
    assert done.returncode == 0, (done.stdout, done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_command_prunes_nothing_until_it_is_told_to(vault: Vault, tmp_path: Path) -> None:
    policy = vault.policy()
    runs = [vault.back_up(policy) for _ in range(3)]
    answered(vault.workspace.admin.patch(f"/backup-policies/{policy['id']}", json={"keep_last": 1}), 200)
    found = prune(vault, tmp_path)
    assert (found["removed"], [each["backup"] for each in found["data"]]) == (False, [runs[1]["id"], runs[0]["id"]])
    assert vault.kept() == {run["id"] for run in runs}
    said = ptolemy("backups", "prune", "--policy", "nightly", data_dir=tmp_path, **variables(vault)).stdout
    assert f"would remove {runs[0]['location']} (keep_last is 1)" in said
    assert "nothing was removed: add --yes" in said
    done = prune(vault, tmp_path, "--yes")
    assert (done["removed"], done["data"]) == (True, found["data"])
    assert vault.kept() == {runs[2]["id"]}
    assert prune(vault, tmp_path, "--yes") == {"removed": True, "data": []}
    assert [event["actor_type"] for event in vault.told("backup.pruned")] == ["system", "system"]


def test_pruning_where_there_is_no_policy_is_no_fault(vault: Vault, tmp_path: Path) -> None:
    assert prune(vault, tmp_path) == {"removed": False, "data": []}
    nobody = ptolemy("backups", "prune", "--policy", "no such", data_dir=tmp_path, **variables(vault))
    assert "no backup policy 'no such'" in failed(nobody)
    nowhere = ptolemy("backups", "prune", "--workspace", "no-such", data_dir=tmp_path, **variables(vault))
    assert "no workspace 'no-such'" in failed(nowhere)


def doctor(vault: Vault, data_dir: Path, **more: str) -> list[dict[str, str]]:
    done = ptolemy("doctor", "--json", data_dir=data_dir, **(variables(vault) | more))
    return [each for each in json.loads(done.stdout)["checks"] if each["name"] == "backups"]


def test_the_doctor_looks_at_the_age_of_the_newest_good_backup(vault: Vault, tmp_path: Path) -> None:
    vault.directory.parent.mkdir(exist_ok=True)
    [found] = doctor(vault, tmp_path)
    assert (found["level"], found["found"]) == ("ok", "no workspace has a backup policy")
    policy = vault.policy()
    assert vault.back_up(policy)["verified_at"]
    [found] = doctor(vault, tmp_path)
    assert found["level"] == "ok"
    older = "update backups set taken_at = taken_at - $1::text::interval"
    since = "update backup_policies set scheduled_since = scheduled_since - interval '9 days'"
    vault.sight.rows(since)
    vault.sight.rows(older, "36 hours")
    [found] = doctor(vault, tmp_path)
    assert found["level"] == "warning"
    assert f"the newest good backup of 'nightly' in {vault.workspace.slug} is 36 hours old" in found["found"]
    vault.sight.rows(older, "36 hours")
    [found] = doctor(vault, tmp_path)
    assert found["level"] == "error"
    wait_for(lambda: True if vault.told("backup.overdue") else None)


def test_a_policy_whose_destination_is_allowed_no_more_is_a_warning(vault: Vault, tmp_path: Path) -> None:
    vault.directory.parent.mkdir(exist_ok=True)
    buckets = {"PTOLEMY_BACKUP_BUCKETS": vault.bucket.url}
    for name, destination in (("offsite", f"{vault.bucket.url}/acme"), ("nightly", vault.directory.as_uri())):
        vault.policy(name=name, destination=destination)
    [found] = doctor(vault, tmp_path, **buckets)
    assert found["level"] == "ok"
    [found] = doctor(vault, tmp_path)
    assert (found["level"], found["advice"]) == (
        "warning",
        "allow it, with the same settings on every host, or let an admin change the policy",
    )
    assert f"'offsite' in {vault.workspace.slug} will fail: {vault.bucket.url}/acme is in no bucket" in found["found"]
    assert "PTOLEMY_BACKUP_BUCKETS" in found["found"]
    other = {"PTOLEMY_BACKUP_DIRECTORIES": str(tmp_path)}
    [found] = doctor(vault, tmp_path, **buckets, **other)
    assert found["level"] == "warning" and "'nightly'" in found["found"]
    for policy in answered(vault.workspace.admin.get("/backup-policies"), 200)["data"]:
        answered(vault.workspace.admin.patch(f"/backup-policies/{policy['id']}", json={"active": False}), 200)
    [found] = doctor(vault, tmp_path)
    assert found["level"] == "ok"


def test_a_directory_that_the_operator_named_and_that_is_not_there_is_an_error(vault: Vault, tmp_path: Path) -> None:
    chosen = variables(vault) | {"PTOLEMY_BACKUP_DIRECTORIES": str(tmp_path / "not mounted")}
    done = ptolemy("doctor", "--json", data_dir=tmp_path, **chosen)
    assert done.returncode == 1
    [found] = [each for each in json.loads(done.stdout)["checks"] if each["name"] == "backups"]
    assert found["level"] == "error"
    assert "not mounted" in found["found"]


def test_a_directory_for_backups_must_be_an_absolute_path(tmp_path: Path) -> None:
    done = ptolemy("doctor", data_dir=tmp_path, PTOLEMY_BACKUP_DIRECTORIES="backups")
    assert "PTOLEMY_BACKUP_DIRECTORIES must be absolute paths" in failed(done)
