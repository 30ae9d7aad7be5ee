"""A backup runs by itself, lies where it should, and is proven before it counts."""

from __future__ import annotations

import hashlib
import io
import zipfile
from uuid import uuid4

import httpx

from tests.backups.vault import Vault
from tests.product import answered, problem, wait_for


def test_a_policy_that_comes_due_backs_up_to_its_destination_by_itself(vault: Vault) -> None:
    policy = vault.policy(keep_last=3)
    assert vault.runs() == []
    vault.come_due(policy)
    run = vault.next_run(policy)
    assert (run["status"], run["error"], run["due_at"]) == ("completed", None, policy["next_run_at"]), run
    content = vault.at(run).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (run["file_size"], run["sha256"])
    assert {"file": "instruments.json", "rows": 1} in run["files"]
    assert run["row_count"] == sum(file["rows"] for file in run["files"])
    assert run["verification"] == {"method": "hashes", "result": "fine", "findings": []}
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    seen = vault.seen(policy)
    assert seen["last_run"]["id"] == seen["newest_verified"]["id"] == run["id"]
    assert seen["newest_verified"]["taken_at"] == run["taken_at"]
    assert seen["next_run_at"] > policy["next_run_at"]
    [event] = vault.told("backup.completed")
    assert (str(event["resource_id"]), event["resource_identifier"], event["actor_type"]) == (
        run["id"],
        "nightly",
        "system",
    )


def test_a_backup_goes_to_a_bucket(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url)
    vault.come_due(policy)
    run = vault.next_run(policy)
    assert run["status"] == "completed", run
    key = run["location"].partition("/pre/")[2]
    found = vault.bucket.keys()
    assert f"pre/{key}" in found
    assert key.startswith(f"fix/{vault.workspace.slug}/nightly/")


def test_the_servers_own_copy_goes_once_the_destination_has_confirmed_it(vault: Vault) -> None:
    run = vault.back_up(vault.policy())
    assert run["status"] == "completed"
    wait_for(lambda: None if [path for path in vault.files.rglob(f"{run['id']}*") if path.is_file()] else True)


def test_a_backup_without_a_policy_is_kept_for_a_download(vault: Vault) -> None:
    run = vault.back_up()
    assert (run["status"], run["destination"], run["location"], run["policy_id"]) == ("completed", None, None, None)
    assert run["verified_at"] and run["file_expires_at"]
    # A member may not export the workspace.
    assert answered(vault.workspace.robot.get(f"/backups/{run['id']}"), 200)["download_url"] is None
    content = httpx.get(run["download_url"]).content
    assert hashlib.sha256(content).hexdigest() == run["sha256"]
    other = vault.workspace
    assert answered(other.admin.get("/backups", params={"status": "completed"}), 200)["data"][0]["id"] == run["id"]


def test_a_run_waits_for_the_one_before_it(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url)
    vault.bucket.rule = lambda method, path: 502 if method == "PUT" else None
    running = answered(vault.workspace.admin.post("/backups", json={"policy_id": "nightly"}), 202)
    problem(vault.workspace.admin.post("/backups", json={"policy_id": policy["id"]}), 409, "backup_running")
    vault.come_due(policy)
    ended = vault.workspace.finished("backups", running)
    assert ended["status"] == "failed"
    vault.bucket.rule = None
    wait_for(lambda: True if len(vault.runs(policy_id=policy["id"])) > 1 else None)
    runs = vault.runs(policy_id=policy["id"])
    assert len(runs) == 2
    assert runs[0]["created_at"] >= ended["completed_at"]


def test_turns_that_were_missed_are_made_up_for_by_one_run(vault: Vault) -> None:
    policy = vault.policy(schedule="0 * * * *")
    vault.clock.pass_by(days=2)
    first = vault.next_run(policy)
    assert first["due_at"] == policy["next_run_at"]
    seen = vault.seen(policy)
    assert seen["next_run_at"] > vault.clock.now().isoformat()
    vault.come_due(policy)
    second = vault.next_run(policy, beyond=1)
    assert second["due_at"] == seen["next_run_at"]
    assert len(vault.runs(policy_id=policy["id"])) == 2


def test_a_policy_that_is_not_active_never_runs(vault: Vault) -> None:
    policy, other = vault.policy(active=False), vault.policy(name="other")
    assert policy["next_run_at"] is None
    vault.clock.pass_by(days=3)
    vault.next_run(other)
    assert vault.runs(policy_id=policy["id"]) == []
    again = answered(vault.workspace.admin.patch("/backup-policies/nightly", json={"active": True}), 200)
    assert again["next_run_at"] > vault.clock.now().isoformat()


def test_a_run_whose_policy_is_removed_ends_as_it_would_have(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url)
    vault.bucket.rule = lambda method, path: 502 if method == "PUT" else None
    run = answered(vault.workspace.admin.post("/backups", json={"policy_id": policy["id"]}), 202)
    answered(vault.workspace.admin.delete(f"/backup-policies/{policy['id']}"), 204)
    vault.bucket.rule = None
    ended = vault.workspace.finished("backups", run)
    assert (ended["status"], ended["policy_id"], ended["policy_name"]) == ("completed", policy["id"], "nightly")


def test_a_run_whose_workspace_is_removed_comes_to_nothing(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url)
    vault.bucket.rule = lambda method, path: 502 if method == "PUT" else None
    run = answered(vault.workspace.admin.post("/backups", json={"policy_id": policy["id"]}), 202)
    wait_for(lambda: True if vault.runs()[0]["upload_attempts"] else None)
    vault.sight.rows("delete from workspaces where slug = $1", vault.workspace.slug)
    vault.bucket.rule = None
    assert vault.sight.value("select count(*) from jobs where kind = 'backup'") == 0
    found = vault.sight.value("select status from backups where id = $1", run["id"])
    assert found == "processing"


def test_a_run_can_be_cancelled(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url)
    vault.bucket.rule = lambda method, path: 502 if method == "PUT" else None
    run = answered(vault.workspace.admin.post("/backups", json={"policy_id": policy["id"]}), 202)
    answered(vault.workspace.admin.post(f"/backups/{run['id']}/cancel"), 200)
    ended = vault.workspace.finished("backups", run)
    assert (ended["status"], ended["location"]) == ("cancelled", None)
    assert [event["event_type"] for event in vault.told()][-1] == "backup.cancelled"
    again = answered(vault.workspace.admin.post(f"/backups/{run['id']}/cancel"), 200)
    assert again["status"] == "cancelled"
    assert len(vault.told("backup.cancelled")) == 1


def test_backups_of_other_workspaces_are_not_there(vault: Vault, vault_url: str) -> None:
    run = vault.back_up()
    other = f"w-{uuid4().hex}"
    answered(vault.workspace.admin.post(f"{vault_url}/v1/workspaces", json={"slug": other}), 201)
    base = f"{vault_url}/v1/workspaces/{other}"
    problem(vault.workspace.admin.get(f"{base}/backups/{run['id']}"), 404, "not_found")
    problem(vault.workspace.admin.post(f"{base}/backups/{run['id']}/cancel"), 404, "not_found")
    assert answered(vault.workspace.admin.get(f"{base}/backups"), 200)["data"] == []
    policy = vault.policy()
    problem(vault.workspace.admin.post(f"{base}/backups", json={"policy_id": policy["id"]}), 404, "not_found")
    problem(vault.workspace.admin.get(f"{base}/backup-policies/{policy['id']}"), 404, "not_found")
