"""Where backups lie is told to admins alone, as their policies are."""

from __future__ import annotations

from typing import Any

from tests.backups.vault import Vault
from tests.product import answered

ADDRESSES = ("/backups", "/backups/rehearsals", "/events")


def told_to_a_member(vault: Vault) -> str:
    """All that a member is answered at the addresses that speak of backups."""
    robot = vault.workspace.robot
    said = [robot.get(each) for each in ADDRESSES]
    said.append(robot.post("/events/filter", json={"sort": [{"field": "id"}], "limit": 200}))
    said += [robot.get(f"/backups/{run['id']}") for run in vault.runs()]
    assert {each.status_code for each in said} == {200}
    return "\n".join(each.text for each in said)


def as_member(vault: Vault, run: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = answered(vault.workspace.robot.get(f"/backups/{run['id']}"), 200)
    [listed] = answered(vault.workspace.robot.get("/backups", params={"ids": run["id"]}), 200)["data"]
    assert listed == shown
    return shown


def test_a_member_sees_all_of_a_backup_but_where_it_lies(vault: Vault) -> None:
    for destination in (vault.bucket.url, vault.directory.as_uri()):
        run = vault.back_up(vault.policy(name=destination[:2], destination=destination))
        assert run["location"].startswith(f"{destination}/")
        assert as_member(vault, run) == run | {"destination": None, "location": None}
    said = told_to_a_member(vault)
    assert vault.bucket.url not in said and str(vault.directory) not in said


def test_a_member_is_told_that_a_destination_failed_but_not_what_it_says(vault: Vault) -> None:
    bucket = vault.bucket.url.split("/")[2]
    vault.bucket.rule = lambda method, path: 503 if method == "PUT" else None
    run = vault.back_up(vault.policy(destination=vault.bucket.url))
    assert bucket in run["error"]
    shown = as_member(vault, run)
    assert (shown["status"], shown["file_expires_at"]) == ("failed", run["file_expires_at"])
    assert shown["error"] == "the backup didn't get to its destination: admins are told why"
    assert bucket not in told_to_a_member(vault)


def test_what_is_found_wrong_with_a_backup_does_not_say_where_it_lies(vault: Vault) -> None:
    run = vault.back_up(vault.policy(verify="hashes"))
    vault.at(run).write_bytes(b"")
    asked = answered(vault.workspace.robot.post("/backups/rehearse", json={"backup_id": run["id"]}), 202)
    job = vault.workspace.finished("backups/rehearsals", asked)
    assert job["error"].startswith("the file at the backup's destination has 0 bytes")
    assert as_member(vault, run)["verification"]["findings"] == [job["error"]]
    assert str(vault.directory) not in told_to_a_member(vault)


def test_a_destination_that_is_allowed_no_more_is_not_named_either(vault: Vault) -> None:
    outside = vault.directory.parent.parent / f"outside-{vault.workspace.slug}"
    policy = vault.policy()
    outside.mkdir()
    vault.directory.symlink_to(outside)
    run = vault.back_up(policy)
    assert run["status"] == "failed" and "PTOLEMY_BACKUP_DIRECTORIES" in run["error"]
    assert str(vault.directory) not in told_to_a_member(vault)
