"""The two scripts of the backup guide, word for word, against `ptolemy serve`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.cli.command import Served, new_data_dir, ptolemy, serving_process
from tests.exports.test_round_trip import fill
from tests.product import Workspace, answered

RESOURCE_TYPES = (
    "instruments",
    "markets",
    "market_listings",
    "market_listing_suspensions",
    "time_series_values",
    "composite_time_series_values",
)
COLLECTIONS = [resource_type.replace("_", "-") for resource_type in RESOURCE_TYPES]
PASSWORD = "correct horse battery staple"

HTTPX = """
import httpx
client = httpx.Client(base_url="{url}/v1/workspaces/{slug}", headers={{"Authorization": "Bearer {token}"}}, timeout=60)
"""

OURS = """
from ptolemy import Client
client = Client("{url}", "{token}", "{slug}")
"""

BACKUP = """
import time

RESOURCE_TYPES = [
    "instruments",
    "markets",
    "market_listings",
    "market_listing_suspensions",
    "time_series_values",
    "composite_time_series_values",
]

# Submit all export jobs
jobs = []
for rt in RESOURCE_TYPES:
    job = client.post("/exports", json={
        "resource_type": rt,
        "format": "json",
        "include_archived": True
    }).json()
    jobs.append(job)

# Wait for all to complete
while any(j["status"] in ("queued", "processing") for j in jobs):
    time.sleep(10)
    jobs = [client.get(f"/exports/{j['id']}").json() for j in jobs]

# Download all files
import requests
for job in jobs:
    if job["status"] == "completed":
        data = requests.get(job["download_url"]).content
        with open(f"{job['resource_type']}.json", "wb") as f:
            f.write(data)
"""

HURRY = """
import time
sleep = time.sleep
time.sleep = lambda seconds: sleep(seconds / 100)
"""
"""The scripts ask every few seconds; what they are told doesn't hang on that."""

RESTORE = """
import time

RESTORE_ORDER = [
    "instruments",
    "markets",
    "market_listings",
    "market_listing_suspensions",
    "time_series_values",
    "composite_time_series_values",
]

for rt in RESTORE_ORDER:
    with open(f"{rt}.json", "rb") as f:
        resp = client.post("/imports", files={
            "file": (f"{rt}.json", f, "application/json")
        }, data={
            "resource_type": rt,
            "on_error": "continue"
        }
    ).json()
    job_id = resp["id"]
    # Wait for import to complete
    while True:
        job = client.get(f"/imports/{job_id}").json()
        if job["status"] in ("completed", "failed"):
            break
        time.sleep(5)
    print(f"{rt}: {job['rows_imported']} imported, {job['rows_failed']} failed")
"""


@dataclass(frozen=True)
class Restored:
    """A workspace, its backup, and what the restore script said in an empty workspace and in the first one again."""

    served: Served
    first: Workspace
    second: Workspace
    backup: dict[str, bytes]
    said: dict[str, tuple[int, int]]
    said_again: dict[str, tuple[int, int]]
    before: dict[str, object]
    ours: dict[str, bytes]
    """The backup that the same script writes through our own client."""
    said_to_ours: dict[str, tuple[int, int]]
    third: Workspace


@pytest.fixture(scope="module", params=[HURRY, pytest.param("", marks=pytest.mark.long)], ids=["hurried", "as-is"])
def restored(request: pytest.FixtureRequest) -> Iterator[Restored]:
    """A day in a user's life, once: what can runs at the same time, since the guide's scripts mostly sleep."""
    backup_script, restore_script = (request.param + script for script in (BACKUP, RESTORE))
    with ExitStack() as held:
        data_dir = held.enter_context(new_data_dir())
        served = held.enter_context(serving_process(data_dir))
        first, second, third = (opened(served, slug) for slug in ("acme-capital", "acme-test", "acme-ours"))
        fill(first)
        archive_a_parent(first)
        second.equity()
        third.equity()
        folder = data_dir / "ours"
        folder.mkdir()
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda each: run(backup_script, first, *each), ((data_dir, HTTPX), (folder, OURS))))
            backup, ours = files_in(data_dir), files_in(folder)
            before = everything(first)
            restores = ((second, data_dir, HTTPX), (first, data_dir, HTTPX), (third, folder, OURS))
            said, said_again, said_to_ours = pool.map(lambda each: told(run(restore_script, *each)), restores)
        yield Restored(served, first, second, backup, said, said_again, before, ours, said_to_ours, third)


def files_in(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.json").read_bytes() for name in RESOURCE_TYPES}


def opened(served: Served, slug: str) -> Workspace:
    """A workspace with an admin, made by the operator's commands."""
    made = ptolemy("workspace", "create", slug, data_dir=served.data_dir)
    assert made.returncode == 0, made.stderr
    made = ptolemy(
        *("user", "create", "ann@example.com", "--workspace", slug, "--role", "admin", "--password-stdin"),
        data_dir=served.data_dir,
        stdin=f"{PASSWORD}\n",
    )
    assert made.returncode == 0, made.stderr
    login = httpx.post(f"{served.url}/v1/auth/login", json={"email": "ann@example.com", "password": PASSWORD})
    return Workspace(served.url, slug, answered(login, 200)["access_token"])


def archive_a_parent(workspace: Workspace) -> None:
    """A market whose listings stay, and with it the suspensions and values below."""
    answered(workspace.robot.delete("/markets/xasx"), 204)
    [listing, *_] = answered(workspace.robot.get("/market-listings"), 200)["data"]
    assert answered(workspace.robot.get(f"/markets/{listing['market_id']}"), 200)["archived_at"] is not None


def run(script: str, workspace: Workspace, folder: Path, client: str) -> str:
    """What the script prints, run where the backup lies, by a robot."""
    whole = client.format(url=workspace.url, slug=workspace.slug, token=workspace.token("member")) + script
    command = [sys.executable, "-c", whole]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(output: str) -> dict[str, tuple[int, int]]:
    """Rows imported and failed, by resource type."""
    lines = re.findall(r"^(\w+): (\d+) imported, (\d+) failed$", output, re.MULTILINE)
    assert [name for name, *_ in lines] == list(RESOURCE_TYPES)
    return {name: (int(imported), int(failed)) for name, imported, failed in lines}


def everything(workspace: Workspace) -> dict[str, object]:
    """Every record, archived ones too, as the API answers it."""
    found: dict[str, object] = {}
    for collection in COLLECTIONS:
        archived = {} if collection == "market-listing-suspensions" else {"archived": "true"}
        found[collection] = answered(workspace.robot.get(f"/{collection}", params={"limit": 200, **archived}), 200)
    return found


def rows_in(file: bytes) -> int:
    return len(file.splitlines()) - 2


def test_the_backup_has_every_record(restored: Restored) -> None:
    assert {name: rows_in(file) for name, file in restored.backup.items()} == {
        "instruments": 3,
        "markets": 2,
        "market_listings": 2,
        "market_listing_suspensions": 2,
        "time_series_values": 6,
        "composite_time_series_values": 2,
    }


def test_the_restore_imports_every_row(restored: Restored) -> None:
    assert restored.said == {name: (rows_in(file), 0) for name, file in restored.backup.items()}


@pytest.mark.parametrize("resource_type", RESOURCE_TYPES)
def test_the_files_of_the_restored_workspace_are_those_of_the_first(restored: Restored, resource_type: str) -> None:
    assert restored.second.export(resource_type, format="json") == restored.backup[resource_type]


@pytest.mark.parametrize("collection", ["instruments", "markets", "market-listings", "time-series-values"])
def test_restored_records_are_archived_as_they_were(restored: Restored, collection: str) -> None:
    def archived(workspace: Workspace) -> list[tuple[str, str]]:
        page = answered(workspace.robot.get(f"/{collection}", params={"archived": "only", "limit": 200}), 200)
        return [(record["id"], record["archived_at"]) for record in page["data"]]

    assert archived(restored.second) == archived(restored.first) != []


def test_the_scripts_do_the_same_through_our_client(restored: Restored) -> None:
    assert restored.ours == restored.backup
    assert restored.said_to_ours == restored.said
    for resource_type, file in restored.backup.items():
        assert restored.third.export(resource_type, format="json") == file


def test_importing_again_imports_nothing(restored: Restored) -> None:
    assert restored.said_again == {name: (0, rows_in(file)) for name, file in restored.backup.items()}


def test_importing_again_says_conflict_for_every_row(restored: Restored) -> None:
    for job in answered(restored.first.robot.get("/imports"), 200)["data"]:
        errors = answered(restored.first.robot.get(f"/imports/{job['id']}"), 200)["errors"]
        assert job["status"] == "completed"
        assert [(error["row"], error["code"]) for error in errors] == [
            (row, "conflict") for row in range(1, job["row_count"] + 1)
        ]


def test_importing_again_changes_nothing(restored: Restored) -> None:
    assert everything(restored.first) == restored.before
    for resource_type in RESOURCE_TYPES:
        assert restored.first.export(resource_type, format="json") == restored.backup[resource_type]


def test_a_restored_workspace_goes_on_as_usual(restored: Restored) -> None:
    workspace = opened(restored.served, "acme-later")
    workspace.equity()
    for resource_type, file in restored.backup.items():
        assert workspace.import_file(resource_type, file, on_error="continue")["rows_failed"] == 0
    answered(workspace.robot.post("/instruments/gone/restore"), 200)
    answered(workspace.robot.post("/markets/xasx/restore"), 200)
    answered(workspace.robot.patch("/instruments/gone", json={"name": "Back"}), 200)
    body = {"instrument_id": "gone", "type_id": "close", "timestamp": "2026-05-01", "value": "1.0"}
    answered(workspace.robot.post("/time-series-values", json=body), 201)
