"""Files come and go whole, over a line that breaks."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ptolemy.client import Client, DamagedFile, JobFailed, Progress, uploads
from tests.client.conftest import BRIEF
from tests.product import Workspace, answered
from tests.relay import Relay
from tests.serving import configured, serving, signed_in

ROWS = 3000
FILE = b"identifier,name,type_id\n" + b"".join(
    b"i%d,%s,equity\n" % (n, os.urandom(30).hex().encode()) for n in range(ROWS)
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Instruments, 200 kB of them, in a file whose name takes care."""
    path = tmp_path / "Größen 日本 'a' & b.csv"
    path.write_bytes(FILE)
    return path


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    workspace.equity()
    workspace.import_file("instruments", FILE)
    return workspace


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Files of this many bytes go in parts of as many."""
    monkeypatch.setattr(uploads, "_ONE_REQUEST_BYTES", 50_000)
    monkeypatch.setattr(uploads, "_PART_BYTES", 50_000)
    return 50_000


def test_an_export_is_the_file_that_the_job_tells_of(filled: Workspace, robot: Client, tmp_path: Path) -> None:
    job = robot.export("instruments", to=tmp_path / "日本.json")
    content = (tmp_path / "日本.json").read_bytes()
    assert job["row_count"] == ROWS
    assert hashlib.sha256(content).hexdigest() == job["sha256"]
    assert content == filled.export("instruments", format="json")


def test_an_export_into_a_directory_is_called_after_what_it_is(
    filled: Workspace, robot: Client, tmp_path: Path
) -> None:
    job = robot.export("instruments", to=tmp_path, format="csv", compression="gzip")
    assert job["path"] == str(tmp_path / "instruments.csv.gz")
    assert gzip.decompress((tmp_path / "instruments.csv.gz").read_bytes()).startswith(b"id,identifier,")


def test_an_export_may_be_filtered(filled: Workspace, robot: Client, tmp_path: Path) -> None:
    job = robot.export("instruments", to=tmp_path, filter={"field": "identifier", "op": "in", "value": ["i1", "i2"]})
    assert job["row_count"] == 2


def test_a_download_that_breaks_goes_on_where_it_broke(
    filled: Workspace, line: Relay, robot: Client, tmp_path: Path
) -> None:
    line.faults += [("GET", "/v1/files/", "half"), ("GET", "/v1/files/", "unheard"), ("GET", "/v1/files/", "half")]
    job = robot.export("instruments", to=tmp_path)
    half = job["file_size"] // 2
    asked = [headers.get("range") for headers in line.headers("GET", "/v1/files/")]
    assert asked[0] is None and set(asked[1:-1]) == {f"bytes={half}-"} and asked[-1] != asked[1]
    assert (tmp_path / "instruments.json").read_bytes() == filled.export("instruments", include_archived=False)


def test_a_download_is_asked_for_anew_when_its_address_has_expired(
    filled: Workspace, line: Relay, robot: Client, tmp_path: Path
) -> None:
    line.faults.append(("GET", "/v1/files/", (403, {})))
    robot.export("instruments", to=tmp_path)
    assert (tmp_path / "instruments.json").exists()


def test_a_download_that_arrives_damaged_is_fetched_again(
    filled: Workspace, line: Relay, robot: Client, tmp_path: Path
) -> None:
    line.faults.append(("GET", "/v1/files/", "changed"))
    job = robot.export("instruments", to=tmp_path)
    assert hashlib.sha256((tmp_path / "instruments.json").read_bytes()).hexdigest() == job["sha256"]


@pytest.mark.parametrize("before", [None, b"the older one"])
def test_a_download_that_stays_damaged_leaves_what_was_there(
    filled: Workspace, line: Relay, robot: Client, tmp_path: Path, before: bytes | None
) -> None:
    path = tmp_path / "instruments.json"
    if before is not None:
        path.write_bytes(before)
    line.faults += [("GET", "/v1/files/", "changed")] * 2
    with pytest.raises(DamagedFile, match=r"instruments\.json"):
        robot.export("instruments", to=tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ([path.name] if before else [])
    assert before is None or path.read_bytes() == before


def test_the_token_is_not_sent_with_a_download(filled: Workspace, line: Relay, robot: Client, tmp_path: Path) -> None:
    robot.export("instruments", to=tmp_path)
    assert all("authorization" not in headers for headers in line.headers("GET", "/v1/files/"))


def test_a_small_file_is_imported_in_one_request(
    workspace: Workspace, line: Relay, robot: Client, source: Path
) -> None:
    workspace.equity()
    job = robot.import_file(source, "instruments")
    assert (job["rows_imported"], job["file_name"]) == (ROWS, source.name)
    assert not line.headers("POST", "/uploads")


def test_a_large_file_is_imported_in_parts_that_are_sent_again_when_the_line_breaks(
    workspace: Workspace, line: Relay, robot: Client, source: Path, small_parts: int
) -> None:
    workspace.equity()
    line.faults += [("PUT", "/parts/2", "unanswered"), ("PUT", "/parts/3", "unheard"), ("PUT", "/parts/3", "half")]
    job = robot.import_file(source, "instruments")
    assert (job["rows_imported"], job["file_name"]) == (ROWS, source.name)
    assert job["sha256"] == hashlib.sha256(FILE).hexdigest()
    assert len(line.headers("PUT", "/parts/")) == -(-len(FILE) // small_parts) + 3


def test_an_upload_is_taken_up_where_another_run_left_it(
    line: Relay, robot: Client, source: Path, small_parts: int
) -> None:
    begun = robot.ask("POST", "/uploads", json={"file_name": source.name, "size": len(FILE)})
    robot.ask("PUT", f"/uploads/{begun['id']}/parts/1", content=FILE[:40_000])
    robot.ask("PUT", f"/uploads/{begun['id']}/parts/2", content=b"something else")
    assert robot.upload(source, upload_id=begun["id"]) == begun["id"]
    sent = [path.rpartition("/")[2] for method, path, _ in line.asked[3:] if method == "PUT"]
    assert sent == [str(number) for number in range(2, -(-len(FILE) // 40_000) + 1)]
    assert robot.ask("GET", f"/uploads/{begun['id']}")["received_size"] == len(FILE)


def test_a_part_that_arrives_changed_is_sent_again(line: Relay, robot: Client, source: Path, small_parts: int) -> None:
    line.faults.append(("PUT", "/parts/2", "garbled"))
    upload = robot.ask("GET", f"/uploads/{robot.upload(source)}")
    second = next(part for part in upload["parts"] if part["number"] == 2)
    assert second["sha256"] == hashlib.sha256(FILE[small_parts : 2 * small_parts]).hexdigest()


def test_a_line_that_changes_every_part_is_told(line: Relay, robot: Client, source: Path, small_parts: int) -> None:
    line.faults += [("PUT", "/parts/1", "garbled")] * 3
    with pytest.raises(DamagedFile, match="parts/1 arrives damaged"):
        robot.upload(source)


def test_rows_in_error_are_the_jobs(workspace: Workspace, robot: Client, tmp_path: Path) -> None:
    workspace.equity()
    path = tmp_path / "a.csv"
    path.write_text("identifier,name,type_id\na,A,equity\nb b,B,equity\n")
    with pytest.raises(JobFailed) as raised:
        robot.import_file(path, "instruments")
    assert [error["row"] for error in raised.value.job["errors"]] == [2]
    job = robot.import_file(path, "instruments", on_error="continue")
    assert (job["rows_imported"], job["rows_failed"]) == (1, 1)


def test_an_import_may_be_tried_and_may_change_records(workspace: Workspace, robot: Client, tmp_path: Path) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="A", type_id="equity")
    path = tmp_path / "a.csv"
    path.write_text("identifier,name,type_id\na,B,equity\n")
    tried = robot.import_file(path, "instruments", identifier_column="identifier", dry_run=True)
    assert (tried["dry_run"], robot.get("/instruments/a").json()["name"]) == (True, "A")
    assert robot.import_file(path, "instruments", identifier_column="identifier")["rows_updated"] == 1


def test_progress_is_told_from_the_first_to_the_last_byte(
    workspace: Workspace, robot: Client, source: Path, small_parts: int, tmp_path: Path
) -> None:
    workspace.equity()
    told: list[Progress] = []
    robot.import_file(source, "instruments", on_progress=told.append)
    job = robot.export("instruments", to=tmp_path, on_progress=told.append)
    last = {progress.step: progress for progress in told}
    assert list(last) == ["uploading", "importing", "exporting", "downloading"]
    assert (last["uploading"].done, last["uploading"].total) == (len(FILE), len(FILE))
    assert (last["importing"].done, last["importing"].total) == (ROWS, ROWS)
    assert last["downloading"].done == last["downloading"].total == job["file_size"]


def test_watching_a_job_outlives_a_server_that_is_away(
    workspace: Workspace, line: Relay, robot: Client, source: Path
) -> None:
    """More broken answers than any single request bears with."""
    workspace.equity()
    line.faults += [("GET", "/imports/", "unheard")] * 5
    line.faults += [("GET", "/imports/", (503, {}))] * 5
    assert robot.import_file(source, "instruments")["rows_imported"] == ROWS


@pytest.fixture
def narrow(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server that takes 100 kB in one request; its address and a token."""
    configuration = configured(database_url, tmp_path_factory.mktemp("narrow"))
    with serving(replace(configuration, max_upload_bytes=100_000)) as url:
        yield url, signed_in(url, database_url)


def test_a_backup_larger_than_the_largest_upload_is_restored(
    narrow: tuple[str, str], source: Path, tmp_path: Path
) -> None:
    url, token = narrow
    for slug in ("first", "second"):
        made = httpx.post(f"{url}/v1/workspaces", json={"slug": slug}, headers={"Authorization": f"Bearer {token}"})
        answered(made, 201)
    Workspace(url, "first", token).equity()
    with Client(url, token, "first", patience=BRIEF) as first, Client(url, token, "second") as second:
        first.import_file(source, "instruments")
        first.backup(tmp_path / "backup.zip")
        assert (tmp_path / "backup.zip").stat().st_size > 100_000
        restored = {each.file: each for each in second.restore(tmp_path / "backup.zip").files}
        assert restored["instruments.json"].created == ROWS
        first.export("instruments", to=tmp_path / "1.json")
        second.export("instruments", to=tmp_path / "2.json")
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
