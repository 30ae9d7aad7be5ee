"""A destination that fails, one that is damaged, and one that the operator doesn't allow."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from ptolemy.backups.fetching import Damaged, opened_backup
from ptolemy.database.pool import Database
from ptolemy.files.local import LocalFiles
from ptolemy.kernel.actors import SYSTEM, Caller
from tests.backups.archives import not_restorable
from tests.backups.vault import Vault
from tests.product import answered, refused_fields, wait_for


def own_copies(vault: Vault, run: dict[str, Any]) -> list[Path]:
    return [path for path in vault.files.rglob(f"{run['id']}*") if path.is_file()]


def test_a_rehearsed_backup_in_a_bucket_comes_due_and_proves_itself(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url, verify="rehearse", timezone="Australia/Sydney")
    vault.come_due(policy)
    run = vault.next_run(policy)
    assert (run["status"], run["error"]) == ("completed", None), run
    assert run["verification"] == {"method": "rehearse", "result": "fine", "findings": []}
    assert run["verified_at"]
    assert [event["event_type"] for event in vault.told()] == ["backup_policy.created", "backup.completed"]


def test_a_destination_that_fails_for_a_while_is_tried_again_with_the_same_file(vault: Vault) -> None:
    failed = 0

    def rule(method: str, path: str) -> int | None:
        nonlocal failed
        if method == "PUT" and failed < 3:
            failed += 1
            return 502
        return None

    vault.bucket.rule = rule
    policy = vault.policy(destination=vault.bucket.url)
    vault.bucket.asked.clear()
    run = vault.back_up(policy)
    assert (run["status"], run["error"]) == ("completed", None)
    assert 1 < run["upload_attempts"] <= 4
    # The file was made once: all attempts went to the one key that its snapshot names.
    assert len({path.partition("?")[0] for method, path in vault.bucket.asked if method == "PUT"}) == 1


def test_a_destination_that_is_down_for_good_fails_the_run_and_the_file_is_kept(vault: Vault) -> None:
    vault.bucket.rule = lambda method, path: 503 if method == "PUT" else None
    run = vault.back_up(vault.policy(destination=vault.bucket.url))
    assert (run["status"], run["location"], run["verified_at"], run["upload_attempts"]) == ("failed", None, None, 4)
    assert "the destination takes no backup" in run["error"]
    assert f"keeps the file itself until {run['file_expires_at'][:10]}" in run["error"]
    [event] = vault.told("backup.failed")
    assert json.loads(event["changes"])["error"]["to"] == run["error"]
    url = answered(vault.workspace.admin.get(f"/backups/{run['id']}"), 200)["download_url"]
    content = httpx.get(url).content
    assert hashlib.sha256(content).hexdigest() == run["sha256"]
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


def test_a_destination_that_keeps_only_half_is_found_out(vault: Vault) -> None:
    vault.bucket.cut = True
    run = vault.back_up(vault.policy(destination=vault.bucket.url))
    assert (run["status"], run["verified_at"]) == ("failed", None)
    assert len(vault.told("backup.failed")) == 1


@pytest.mark.parametrize("method", ["never", "hashes", "rehearse"])
def test_a_destination_that_keeps_another_byte_is_found_out(method: str, vault: Vault) -> None:
    """By reading all of it again, before the run counts as completed, whatever the policy wants verified."""
    vault.bucket.flip = True
    run = vault.back_up(vault.policy(destination=vault.bucket.url, verify=method))
    assert (run["status"], run["location"], run["verified_at"]) == ("failed", None, None)
    assert "another SHA-256" in run["error"]
    assert len(vault.told("backup.failed")) == 1
    assert vault.told("backup.completed") == []


def test_a_backup_that_is_damaged_at_its_destination_later_can_not_be_opened(vault: Vault) -> None:
    run = vault.back_up(vault.policy())
    path = vault.at(run)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    damaged = read_back(vault, run)
    assert damaged is not None
    assert damaged.code == "backup_damaged"
    path.write_bytes(content[:-1])
    damaged = read_back(vault, run)
    assert damaged is not None
    assert f"has {len(content) - 1} bytes" in damaged.detail


def read_back(vault: Vault, run: dict[str, Any]) -> Damaged | None:
    """What is wrong with the run's file, as whoever restores or rehearses it is told."""
    workspace_id = vault.sight.value("select id from workspaces where slug = $1", vault.workspace.slug)

    async def work() -> Damaged | None:
        database = await Database.open(vault.sight.dsn, app_connections=2, owner_connections=1)
        try:
            files = LocalFiles(vault.files)
            async with opened_backup(database, files, Caller(workspace_id, SYSTEM), run["id"]) as path:
                assert hashlib.sha256(path.read_bytes()).hexdigest() == run["sha256"]
            return None
        except Damaged as problem:
            return problem
        finally:
            await database.close()

    return asyncio.run(work())


def test_a_backup_can_be_opened_wherever_it_lies(vault: Vault) -> None:
    assert read_back(vault, vault.back_up()) is None
    assert read_back(vault, vault.back_up(vault.policy())) is None
    assert read_back(vault, vault.back_up(vault.policy(name="s3", destination=vault.bucket.url))) is None


def damaged(archive: bytes) -> bytes:
    """Another byte in one of its files."""
    middle = len(archive) // 3
    return archive[:middle] + bytes([archive[middle] ^ 1]) + archive[middle + 1 :]


def written_badly(vault: Vault, policy: dict[str, Any], spoil: Callable[[bytes], bytes]) -> dict[str, Any]:
    """The ended run of a policy, of whose file another was written, with its hash: the writer itself was at fault."""
    vault.bucket.rule = lambda verb, path: 503 if verb == "PUT" else None
    run: dict[str, Any] = answered(vault.workspace.admin.post("/backups", json={"policy_id": policy["id"]}), 202)
    # Between two attempts at the upload.
    hold = "update jobs set run_at = now() + $2 where id = $1 and attempts = 0 and lease_token is null returning id"
    wait_for(lambda: vault.runs()[0]["sha256"])
    wait_for(lambda: vault.sight.value(hold, run["id"], timedelta(hours=1)))
    [path] = own_copies(vault, run)
    archive = spoil(path.read_bytes())
    digest = hashlib.sha256(archive).hexdigest()
    path.with_name(f"{run['id']}-{digest[:16]}").write_bytes(archive)
    statement = "update backups set sha256 = $1, file_size = $2 where id = $3"
    vault.sight.rows(statement, digest, len(archive), run["id"])
    vault.bucket.rule = None
    vault.sight.value(hold, run["id"], timedelta(0))
    return vault.workspace.finished("backups", run)


@pytest.mark.parametrize(
    ("method", "spoil", "found"), [("hashes", damaged, "damaged"), ("rehearse", not_restorable, "not restorable")]
)
def test_a_backup_that_was_written_badly_is_caught_before_it_counts(
    method: str, spoil: Callable[[bytes], bytes], found: str, vault: Vault
) -> None:
    policy = vault.policy(destination=vault.bucket.url, verify=method)
    run = written_badly(vault, policy, spoil)
    assert (run["status"], run["verified_at"]) == ("failed", None), run
    assert (run["verification"]["method"], run["verification"]["result"]) == (method, found)
    assert run["verification"]["findings"]
    kinds = [event["event_type"] for event in vault.told()]
    assert kinds == ["backup_policy.created", "backup.verification_failed", "backup.failed"]
    assert vault.seen(policy)["newest_verified"] is None


def test_what_can_not_be_restored_is_found_by_a_rehearsal_alone(vault: Vault) -> None:
    run = written_badly(vault, vault.policy(destination=vault.bucket.url, verify="hashes"), not_restorable)
    assert (run["status"], run["verification"]["result"]) == ("completed", "fine"), run


@pytest.mark.parametrize(
    "place",
    [
        "{allowed}/../elsewhere",
        "{allowed}/%2e%2e/elsewhere",
        "{allowed}-beside",
        "{allowed}/link/inside",
        "/",
        "/etc",
        "/etc/cron.d",
        "{files}",
    ],
)
def test_no_directory_but_the_operators_is_written_to(place: str, vault: Vault) -> None:
    allowed = vault.directory.parent
    allowed.mkdir(exist_ok=True)
    link = allowed / "link"
    if not link.is_symlink():
        link.symlink_to("/tmp")
    destination = "file://" + place.format(allowed=allowed, files=vault.files)
    asked = {"name": "n", "schedule": "0 2 * * *", "destination": destination}
    answer = vault.workspace.admin.post("/backup-policies", json=asked)
    assert refused_fields(answer) == {"destination": "destination_refused"}


@pytest.mark.parametrize("place", ["s3://another-bucket", "{bucket}", "{parent}", "{url}-beside", "{url}x/inside"])
def test_no_bucket_but_the_operators_is_written_to(place: str, vault: Vault) -> None:
    """The server's own credentials may reach others: whoever names one would borrow them."""
    url = vault.bucket.url
    parent, bucket = url.rpartition("/")[0], "/".join(url.split("/")[:3])
    asked = {"name": "n", "schedule": "0 2 * * *", "destination": place.format(url=url, parent=parent, bucket=bucket)}
    answer = vault.workspace.admin.post("/backup-policies", json=asked)
    assert refused_fields(answer) == {"destination": "destination_refused"}
    assert "PTOLEMY_BACKUP_BUCKETS" in answer.json()["detail"]


def test_a_prefix_within_the_operators_is_written_to(vault: Vault) -> None:
    inside = f"{vault.bucket.url}/our.team"
    run = vault.back_up(vault.policy(destination=f"{inside}/"))
    assert run["status"] == "completed", run
    assert run["location"].startswith(f"{inside}/{vault.workspace.slug}/")


def test_a_bucket_that_the_operator_allows_no_more_is_not_written_to(vault: Vault) -> None:
    policy = vault.policy(destination=vault.bucket.url)
    vault.sight.rows("update backup_policies set destination = 's3://no-more' where id = $1", UUID(policy["id"]))
    run = vault.back_up(policy)
    assert run["status"] == "failed"
    assert "no bucket that the operator allows" in run["error"]
    answered(vault.workspace.admin.patch(f"/backup-policies/{policy['id']}", json={"keep_last": 2}), 200)


def test_a_directory_that_leads_elsewhere_by_now_is_not_written_to(vault: Vault, tmp_path: Path) -> None:
    place = vault.directory / "moved"
    policy = vault.policy(destination=place.as_uri())
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path)
    run = vault.back_up(policy)
    assert run["status"] == "failed"
    assert "no directory that the operator allows" in run["error"]
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_can_not_be_made_is_told_in_plain_words(vault: Vault) -> None:
    vault.directory.mkdir(parents=True)
    (vault.directory / "file").write_text("in the way")
    run = vault.back_up(vault.policy(destination=(vault.directory / "file").as_uri()))
    assert run["status"] == "failed"
    assert "takes no backup: Not a directory: " in run["error"] and "Errno" not in run["error"]


@pytest.mark.parametrize("name", ["Jede Nacht / Zürich", "..", "夜間", "a" * 255])
def test_a_policy_may_have_any_name_and_its_files_a_plain_one(name: str, vault: Vault) -> None:
    policy = vault.policy(name=name)
    run = vault.back_up(policy)
    assert run["status"] == "completed", run
    assert vault.at(run).exists()
    assert vault.at(run).parent.parent == vault.directory / vault.workspace.slug
    if "/" not in name and name != "..":
        found = answered(vault.workspace.admin.get(f"/backup-policies/{quote(name)}"), 200)
        assert found["id"] == policy["id"]
