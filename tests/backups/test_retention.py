"""What retention takes, what it never takes, and what it says."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptolemy.backups.retention import plan, prune
from ptolemy.backups.surroundings import Surroundings
from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7
from tests.backups.vault import Vault
from tests.product import answered, wait_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pruned(vault: Vault, policy: dict[str, Any]) -> None:
    """What the end of a run does."""
    workspace_id = vault.sight.value("select id from workspaces where slug = $1", vault.workspace.slug)

    async def work() -> None:
        database = await Database.open(vault.sight.dsn, app_connections=2, owner_connections=1)
        try:
            surroundings = Surroundings([vault.directory.parent], now=vault.clock.now)
            await prune(database, Caller(workspace_id, SYSTEM), UUID(policy["id"]), surroundings)
        finally:
            await database.close()

    asyncio.run(work())


def change(vault: Vault, policy: dict[str, Any], **values: Any) -> None:
    answered(vault.workspace.admin.patch(f"/backup-policies/{policy['id']}", json=values), 200)


def test_the_newest_ones_stay_and_the_others_go(vault: Vault) -> None:
    policy = vault.policy(keep_last=2)
    runs = [vault.back_up(policy) for _ in range(4)]
    wait_for(lambda: True if len(vault.told("backup.pruned")) == 2 else None)
    assert vault.kept() == {run["id"] for run in runs[2:]}
    first = answered(vault.workspace.admin.get(f"/backups/{runs[0]['id']}"), 200)
    assert first["removed_at"]
    assert (first["status"], first["removed_reason"]) == ("completed", "keep_last is 2")
    events = vault.told("backup.pruned")
    assert [str(event["resource_id"]) for event in events] == [run["id"] for run in runs[:2]]
    assert json.loads(events[0]["changes"])["location"] == {"from": runs[0]["location"], "to": None}


def test_backups_go_by_age_and_the_newest_verified_stays_however_old(vault: Vault) -> None:
    policy = vault.policy(keep_days=30)
    older, newer = vault.back_up(policy), vault.back_up(policy)
    vault.sight.rows("update backup_policies set active = false where id = $1", UUID(policy["id"]))
    vault.clock.pass_by(days=29)
    pruned(vault, policy)
    assert vault.kept() == {older["id"], newer["id"]}
    vault.clock.pass_by(days=2)
    pruned(vault, policy)
    assert vault.kept() == {newer["id"]}
    pruned(vault, policy)
    [event] = vault.told("backup.prune_refused")
    assert str(event["resource_id"]) == newer["id"]
    assert vault.kept() == {newer["id"]}


def test_the_newest_verified_stays_among_newer_ones_that_are_not(vault: Vault) -> None:
    policy = vault.policy(keep_last=1)
    verified = vault.back_up(policy)
    change(vault, policy, verify="never")
    runs = [vault.back_up(policy) for _ in range(3)]
    wait_for(lambda: True if len(vault.told("backup.pruned")) == 2 else None)
    assert vault.kept() == {verified["id"], runs[-1]["id"]}
    assert [str(event["resource_id"]) for event in vault.told("backup.prune_refused")] == [verified["id"]]
    plan = answered(vault.workspace.admin.get("/backup-policies/nightly/prune"), 200)
    assert (plan["data"], plan["spared"]["id"], plan["kept"]) == ([], verified["id"], 2)


def test_a_look_at_what_would_go_removes_nothing(vault: Vault) -> None:
    policy = vault.policy()
    runs = [vault.back_up(policy) for _ in range(3)]
    change(vault, policy, keep_last=1)
    plan = answered(vault.workspace.admin.get("/backup-policies/nightly/prune"), 200)
    assert [each["id"] for each in plan["data"]] == [run["id"] for run in runs[1::-1]]
    assert {each["reason"] for each in plan["data"]} == {"keep_last is 1"}
    assert (plan["spared"], plan["kept"]) == (None, 1)
    assert vault.kept() == {run["id"] for run in runs}
    assert vault.told("backup.pruned") == []


@pytest.mark.parametrize("keep", [{"keep_last": 5}, {"keep_days": 3}, {"keep_last": 5, "keep_days": 3}, {}])
def test_fewer_backups_than_are_to_be_kept_are_no_fault(keep: dict[str, int], vault: Vault) -> None:
    policy = vault.policy(**keep)
    pruned(vault, policy)
    assert answered(vault.workspace.admin.get("/backup-policies/nightly/prune"), 200) == {
        "data": [],
        "spared": None,
        "kept": 0,
    }
    run = vault.back_up(policy)
    pruned(vault, policy)
    assert vault.kept() == {run["id"]}
    assert vault.told("backup.pruned", "backup.prune_refused") == []


def test_files_that_no_run_of_the_policy_speaks_of_are_not_touched(vault: Vault) -> None:
    policy, other = vault.policy(keep_last=1), vault.policy(name="other", keep_last=5)
    theirs = vault.back_up(other)
    first = vault.back_up(policy)
    beside = vault.at(first).with_name("20000101t000000z-an-old-one.zip")
    beside.write_bytes(b"somebody else's")
    second = vault.back_up(policy)
    wait_for(lambda: True if vault.told("backup.pruned") else None)
    assert beside.read_bytes() == b"somebody else's"
    assert vault.at(theirs).exists()
    assert vault.at(second).exists()
    assert not vault.at(first).exists()


def test_what_can_not_be_removed_now_is_removed_after_the_next_run(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url, keep_last=1)
    vault.bucket.rule = lambda method, path: 500 if method == "DELETE" or "delete" in path else None
    first = vault.back_up(policy)
    second = vault.back_up(policy)
    wait_for(lambda: True if any("delete" in path or how == "DELETE" for how, path in vault.bucket.asked) else None)
    assert vault.told("backup.pruned") == []
    vault.bucket.rule = None
    third = vault.back_up(policy)
    wait_for(lambda: True if len(vault.told("backup.pruned")) == 2 else None)
    assert {str(event["resource_id"]) for event in vault.told("backup.pruned")} == {second["id"], first["id"]}
    found = vault.bucket.keys()
    assert [key for key in found if vault.workspace.slug in key] == [f"pre/{third['location'].partition('/pre/')[2]}"]


def test_a_file_that_is_gone_already_is_no_fault(vault: Vault) -> None:
    policy = vault.policy(keep_last=1)
    first = vault.back_up(policy)
    vault.at(first).unlink()
    vault.back_up(policy)
    wait_for(lambda: True if vault.told("backup.pruned") else None)


# Any history whatever.

keeps = st.none() | st.integers(1, 4)
statuses = st.sampled_from(["completed", "completed", "completed", "failed", "cancelled"])
steps = st.one_of(
    st.tuples(st.just("run"), statuses, st.booleans()),
    st.tuples(st.just("policy"), keeps, keeps),
    st.tuples(st.just("time"), st.integers(0, 10), st.none()),
    st.tuples(st.just("prune"), st.none(), st.none()),
)


@given(st.lists(steps, max_size=40))
def test_the_newest_verified_backup_survives_whatever_happens(history: list[tuple[str, Any, Any]]) -> None:
    kept: list[Any] = []
    keep_last: int | None = None
    keep_days: int | None = None
    now = NOW
    newest_verified = newest_completed = None
    for what, one, other in history:
        if what == "policy":
            keep_last, keep_days = one, other
        elif what == "time":
            now += timedelta(days=one)
        elif what == "run":
            verified = now if one == "completed" and other else None
            said = "{}" if verified else None
            run = {"id": uuid7(), "status": one, "taken_at": now, "verified_at": verified, "verification": said}
            kept.insert(0, run)
            newest_verified = run if verified else newest_verified
            newest_completed = run if one == "completed" else newest_completed
        if what in ("run", "prune"):
            found = plan(kept, keep_last, keep_days, now)
            going = [each.run for each in found.going]
            assert [run for run in kept if run not in going] == list(found.kept)
            kept = list(found.kept)
        if newest_verified is not None:
            assert newest_verified in kept
        elif newest_completed is not None:
            assert newest_completed in kept
        if keep_last is not None and what in ("run", "prune"):
            completed = [run for run in kept if run["status"] == "completed"]
            assert keep_days is not None or len(completed) <= keep_last + 1
