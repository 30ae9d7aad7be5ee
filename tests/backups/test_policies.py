"""What a policy may say, and who may say it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backups.vault import Vault
from tests.product import answered, problem, refused_fields

BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "invalid_name"),
    ({"name": " \t"}, "invalid_name"),
    ({"name": "a" * 256}, "invalid_text"),
    ({"name": "a\0b"}, "invalid_text"),
    ({"name": 7}, "invalid_text"),
    ({"schedule": ""}, "invalid_schedule"),
    ({"schedule": "@daily"}, "invalid_schedule"),
    ({"schedule": "0 2 * *"}, "invalid_schedule"),
    ({"schedule": "0 0 2 * * *"}, "invalid_schedule"),
    ({"schedule": "60 2 * * *"}, "invalid_schedule"),
    ({"schedule": "0 2 * * MOONDAY"}, "invalid_schedule"),
    ({"schedule": "0 2 31 2 *"}, "invalid_schedule"),
    ({"schedule": "0 2 30 2 *"}, "invalid_schedule"),
    ({"schedule": "*/0 2 * * *"}, "invalid_schedule"),
    ({"schedule": "0 2 * * *\n"}, "invalid_schedule"),
    ({"schedule": "0 ٢ * * *"}, "invalid_schedule"),
    ({"schedule": "1/2/3 2 * * *"}, "invalid_schedule"),
    ({"schedule": "0 2 L#1 * 5L/2"}, "invalid_schedule"),
    ({"schedule": None}, "invalid_schedule"),
    ({"schedule": 2}, "invalid_schedule"),
    ({"timezone": "Sydney"}, "invalid_timezone"),
    ({"timezone": "+10:00"}, "invalid_timezone"),
    ({"timezone": None}, "invalid_timezone"),
    ({"destination": "/srv/backups"}, "invalid_destination"),
    ({"destination": "file://backups"}, "invalid_destination"),
    ({"destination": "file://host/srv/backups"}, "invalid_destination"),
    ({"destination": "file:///srv/back\0ups"}, "invalid_destination"),
    ({"destination": "file:///srv/back%00ups"}, "invalid_destination"),
    ({"destination": "ftp://host/backups"}, "invalid_destination"),
    ({"destination": "s3://"}, "invalid_destination"),
    ({"destination": "s3://B/prefix"}, "invalid_destination"),
    ({"destination": "s3://key:secret@bucket/prefix"}, "invalid_destination"),
    ({"destination": "s3://bucket/../other"}, "invalid_destination"),
    ({"destination": "s3://bucket/prefix?versions"}, "invalid_destination"),
    ({"destination": "s3://bucket/prefix#"}, "invalid_destination"),
    ({"destination": "file:///srv/backups?"}, "invalid_destination"),
    ({"destination": "https://[bad"}, "invalid_destination"),
    ({"destination": "file:///nowhere/that/is/allowed"}, "destination_refused"),
    ({"destination": "file:///" + "a/" * 400}, "destination_refused"),
    ({"format": "csv"}, "invalid_choice"),
    ({"keep_last": 0}, "not_positive"),
    ({"keep_last": -1}, "not_positive"),
    ({"keep_last": "3"}, "invalid_integer"),
    ({"keep_last": 1.5}, "invalid_integer"),
    ({"keep_days": 0}, "not_positive"),
    ({"keep_days": 10**9}, "out_of_range"),
    ({"keep_days": 10**30}, "invalid_integer"),
    ({"verify": "sometimes"}, "invalid_choice"),
    ({"active": "yes"}, "invalid_boolean"),
    ({"next_run_at": "2026-01-01"}, "unknown_field"),
    ({"surprise": 1}, "unknown_field"),
]


@pytest.mark.parametrize(("change", "code"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_value_is_refused_by_name(change: dict[str, Any], code: str, vault: Vault) -> None:
    [field] = change
    asked = {"name": "n", "schedule": "0 2 * * *", "destination": vault.directory.as_uri()}
    answer = vault.workspace.admin.post("/backup-policies", json=asked | change)
    assert refused_fields(answer) == {field: code}
    policy = vault.policy(name="good")
    answer = vault.workspace.admin.patch(f"/backup-policies/{policy['id']}", json=change)
    assert refused_fields(answer) == {field: code}
    assert vault.told("backup_policy.updated") == []


def test_a_destination_that_is_no_address_is_refused_with_what_it_must_be(vault: Vault) -> None:
    asked = {"name": "n", "schedule": "0 2 * * *", "destination": "s3://[::1"}
    answer = problem(vault.workspace.admin.post("/backup-policies", json=asked), 422, "invalid_values")
    assert answer["detail"].startswith("destination: must be s3://bucket/prefix, or file:///")


@pytest.mark.parametrize("scheme", ["file", "s3"])
def test_the_scheme_of_a_destination_is_kept_in_lower_case(vault: Vault, scheme: str) -> None:
    url = vault.directory.as_uri() if scheme == "file" else vault.bucket.url
    policy = vault.policy(destination=f"{scheme.upper()}{url.removeprefix(scheme)}")
    assert policy["destination"] == url
    assert vault.back_up(policy)["location"].startswith(f"{url}/")


def test_the_least_that_a_policy_says_is_name_schedule_and_destination(vault: Vault) -> None:
    assert refused_fields(vault.workspace.admin.post("/backup-policies", json={})) == dict.fromkeys(
        ("name", "schedule", "destination"), "required"
    )
    policy = vault.policy()
    wanted = {"timezone": "UTC", "format": "zip", "keep_last": None, "keep_days": None, "verify": "hashes"}
    assert {name: policy[name] for name in wanted} == wanted
    assert (policy["active"], policy["last_run"], policy["newest_verified"]) == (True, None, None)
    assert policy["next_run_at"].endswith("T02:00:00Z")


def test_every_change_of_a_policy_has_its_event(vault: Vault) -> None:
    policy = vault.policy()
    path = f"/backup-policies/{policy['id']}"
    answered(vault.workspace.admin.patch(path, json={"keep_last": 7, "schedule": "30 4 * * 1"}), 200)
    answered(vault.workspace.admin.patch(path, json={"keep_last": 7}), 200)
    answered(vault.workspace.admin.delete(path), 204)
    problem(vault.workspace.admin.get(path), 404, "not_found")
    kinds = [(event["event_type"], event["resource_identifier"], event["actor_type"]) for event in vault.told()]
    assert kinds == [(f"backup_policy.{word}", "nightly", "human") for word in ("created", "updated", "deleted")]


def test_a_name_is_taken_once(vault: Vault) -> None:
    policy = vault.policy()
    asked = {"name": "nightly", "schedule": "0 3 * * *", "destination": vault.directory.as_uri()}
    problem(vault.workspace.admin.post("/backup-policies", json=asked), 409, "duplicate")
    assert answered(vault.workspace.admin.get("/backup-policies/nightly"), 200)["id"] == policy["id"]


def test_a_new_schedule_counts_from_now_on(vault: Vault) -> None:
    policy = vault.policy(schedule="0 2 * * *")
    change = {"schedule": "15 * * * *", "timezone": "Asia/Kathmandu"}
    changed = answered(vault.workspace.admin.patch("/backup-policies/nightly", json=change), 200)
    assert changed["next_run_at"][14:16] == "30"  # a quarter past, where the clock is 5 h 45 ahead
    assert changed["scheduled_since"] > policy["scheduled_since"]
    named = answered(vault.workspace.admin.patch("/backup-policies/nightly", json={"name": "hourly"}), 200)
    assert (named["next_run_at"], named["scheduled_since"]) == (changed["next_run_at"], changed["scheduled_since"])


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_policies_are_for_admins(role: str, vault: Vault) -> None:
    policy = vault.policy()
    robot = vault.workspace.client(vault.workspace.token(role))
    asked = {"name": "n", "schedule": "0 2 * * *", "destination": vault.directory.as_uri()}
    one = f"/backup-policies/{policy['id']}"
    for answer in (
        robot.get("/backup-policies"),
        robot.post("/backup-policies", json=asked),
        robot.post("/backup-policies/filter", json={}),
        robot.post("/backup-policies/count", json={}),
        robot.get(one),
        robot.get(f"{one}/prune"),
        robot.patch(one, json={"active": False}),
        robot.delete(one),
        robot.post("/backups", json={}),
    ):
        problem(answer, 403, "forbidden")


def test_a_member_sees_the_runs_and_a_viewer_does_not(vault: Vault) -> None:
    run = vault.back_up()
    member, viewer = (vault.workspace.client(vault.workspace.token(role)) for role in ("member", "viewer"))
    assert answered(member.get(f"/backups/{run['id']}"), 200)["id"] == run["id"]
    problem(viewer.get(f"/backups/{run['id']}"), 403, "forbidden")
    problem(viewer.get("/backups"), 403, "forbidden")
    problem(member.post(f"/backups/{run['id']}/cancel"), 403, "forbidden")


def test_policies_are_listed_filtered_and_counted(vault: Vault) -> None:
    vault.policy()
    vault.policy(name="weekly", schedule="0 2 * * 0", verify="rehearse")
    admin = vault.workspace.admin
    assert [each["name"] for each in answered(admin.get("/backup-policies"), 200)["data"]] == ["nightly", "weekly"]
    wanted = {"filter": {"field": "verify", "op": "eq", "value": "rehearse"}}
    assert [each["name"] for each in answered(admin.post("/backup-policies/filter", json=wanted), 200)["data"]] == [
        "weekly"
    ]
    assert answered(admin.post("/backup-policies/count", json={}), 200) == {"count": 2}


def test_a_request_for_a_backup_names_what_is_wrong_with_it(vault: Vault) -> None:
    admin = vault.workspace.admin
    problem(admin.post("/backups", json={"policy_id": "no such policy"}), 404, "not_found")
    assert refused_fields(admin.post("/backups", json={"policy_id": ""})).keys() == {"policy_id"}
    assert refused_fields(admin.post("/backups", json={"verify": "maybe"})).keys() == {"verify"}
    assert refused_fields(admin.post("/backups", json={"destination": "s3://b"})).keys() == {"destination"}
    assert refused_fields(admin.get("/backups", params={"policy_id": "x" * 256})).keys() == {"policy_id"}
    assert refused_fields(admin.get("/backups", params={"status": "done"})).keys() == {"status"}


def test_policies_stay_out_of_the_archive_of_a_workspace(vault: Vault) -> None:
    vault.policy(name="a name to look for")
    archive = vault.workspace.export_workspace()
    assert b"a name to look for" not in archive
    assert b"backup_policies" not in archive


def test_runs_are_listed_by_the_name_of_their_policy_as_by_its_id(vault: Vault) -> None:
    policy, other = vault.policy(), vault.policy(name="Weekly, all of it")
    run, another = vault.back_up(policy), vault.back_up(other)
    assert [found["id"] for found in vault.runs(policy_id="nightly")] == [run["id"]]
    assert [found["id"] for found in vault.runs(policy_id="Weekly, all of it")] == [another["id"]]
    unknown = answered(vault.workspace.robot.get("/backups?policy_id=hourly"), 200)
    assert (unknown["data"], len(unknown["warnings"])) == ([], 1)
    assert set(refused_fields(vault.workspace.robot.get("/backups?policy_id="))) == {"policy_id"}
    assert vault.workspace.admin.delete(f"/backup-policies/{policy['id']}").status_code == 204
    assert [found["id"] for found in vault.runs(policy_id=policy["id"])] == [run["id"]]
