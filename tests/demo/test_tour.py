"""The demo itself, on a real server; with fewer rows than its users see, but for the long test."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from ptolemy.demo.problems import DemoProblem
from ptolemy.demo.report import Report
from ptolemy.demo.server import running_server
from ptolemy.demo.sources import ImportFile
from ptolemy.demo.tour import compare, import_files, tour
from ptolemy.demo.transfers import RESOURCE_TYPES, import_file
from ptolemy.demo.workspaces import workspace

PTOLEMY = [sys.executable, "-c", "from ptolemy.cli.main import main; main()"]
NOBODYS_DATABASE = "postgresql://nobody@127.0.0.1:1/none"


@dataclass(frozen=True)
class Toured:
    report: Report
    directory: Path
    files: list[ImportFile]
    loaded: httpx.Client

    def backup(self, resource_type: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads((self.directory / "backup" / f"{resource_type}.json").read_bytes())
        return rows


@pytest.fixture(scope="module")
def toured() -> Iterator[Toured]:
    # Not pytest's directory: the embedded database may run as a user who can't get through to that one.
    directory = Path(tempfile.mkdtemp(prefix="ptolemy-demo-test-"))
    files = list(import_files(asx_count=150, close_days=100, bar_count=600))
    report = Report(tell=lambda _: None)
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PTOLEMY_DATABASE_URL", NOBODYS_DATABASE)
            with running_server(directory) as server:
                opened = tour(server, files, directory, report)
                with workspace(server, "demo", opened.loaded) as loaded:
                    yield Toured(report, directory, files, loaded)
    finally:
        shutil.rmtree(directory)


def test_the_restored_workspace_gives_the_same_files(toured: Toured) -> None:
    assert toured.report.differences == []
    assert [step.equal for step in toured.report.steps if step.action == "Compare"] == [True] * len(RESOURCE_TYPES)


def test_the_demo_keeps_away_from_the_database_in_the_environment(toured: Toured) -> None:
    assert (toured.directory / "postgres").is_dir()


def test_the_backup_has_all_rows_of_the_sources(toured: Toured) -> None:
    rows = {file.resource_type: file.rows for file in toured.files}

    found = {resource_type: len(toured.backup(resource_type)) for resource_type in RESOURCE_TYPES}

    assert found == rows | {"time_series_values": rows["time_series_values"] + 5}


def test_the_backup_has_archived_parents_with_children_that_are_not(toured: Toured) -> None:
    archived = {row["identifier"] for row in toured.backup("instruments") if row["archived_at"]}
    markets = {row["identifier"] for row in toured.backup("markets") if row["archived_at"]}
    listings, bars = toured.backup("market_listings"), toured.backup("composite_time_series_values")

    assert {"fb", "rrc"} < archived
    assert markets == {"chia"}
    assert [row for row in listings if row["market"] == "chia" and not row["archived_at"]]
    assert [row for row in bars if row["instrument"] == "fb" and not row["archived_at"]]
    assert [row for row in bars if row["instrument"] == "fb" and row["archived_at"]]


def test_the_backup_has_instants_with_an_archived_and_an_active_value(toured: Toured) -> None:
    closes = [row for row in toured.backup("time_series_values") if row["instrument"] == "aapl"]

    archived = {row["timestamp"] for row in closes if row["archived_at"]}

    assert len(archived) == 5
    assert archived < {row["timestamp"] for row in closes if not row["archived_at"]}


def test_a_changed_byte_is_a_difference(toured: Toured, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(toured.directory / "backup", changed)
    markets = changed / "markets.json"
    markets.write_bytes(markets.read_bytes().replace(b"Nasdaq", b"nasdaq"))
    report = Report(tell=lambda _: None)

    compare(toured.directory / "backup", changed, report)

    assert [step.subject for step in report.steps if not step.equal] == ["markets"]
    assert "markets.json" in report.differences[0]


def test_a_file_that_is_refused_ends_the_demo_with_the_reason(toured: Toured) -> None:
    markets = b"identifier,name,type_id\nxlon,London Stock Exchange,no-such-type\n"

    with pytest.raises(DemoProblem, match=r"markets failed.*row 1, type_id"):
        import_file(toured.loaded, "markets", "markets.csv", markets, "abort")


def test_a_server_that_does_not_start_ends_the_demo_with_the_reason(toured: Toured) -> None:
    with pytest.raises(DemoProblem, match="the server did not start"), running_server(toured.directory):
        pass


def test_sigterm_amidst_leaves_no_server_and_no_directory(toured: Toured) -> None:
    around = toured.directory / "around"
    around.mkdir(mode=0o711)
    # As in the background of a script, where SIGINT is ignored.
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *PTOLEMY, "demo", "--json"]
    environment = {**os.environ, "TMPDIR": str(around)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stderr is not None
        assert demo.stderr.readline().startswith("Start")
        [directory] = around.iterdir()
        [server] = [process for process in psutil.process_iter(["cmdline"]) if _serves(process, directory)]
        demo.send_signal(signal.SIGTERM)
        said = demo.stderr.read()

    assert demo.returncode == 130
    assert "Compare" not in said
    assert not directory.exists()
    assert not server.is_running()


def _serves(process: psutil.Process, directory: Path) -> bool:
    return "serve" in (cmdline := process.info["cmdline"] or []) and str(directory) in cmdline


@pytest.mark.long
def test_the_command_stays_up_when_asked_and_ends_at_sigterm() -> None:
    command = [*PTOLEMY, "demo", "--serve", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as demo:
        assert demo.stderr is not None
        assert demo.stdout is not None
        said = ""
        while "afterwards" not in said and (line := demo.stderr.readline()):
            said += line
        found = re.search(r"stays up at (\S+).*sign in with\s+(\S+)\s+(\S+).*--data-dir (\S+)", said, re.DOTALL)
        assert found, said
        url, email, password, data_dir = found.groups()
        try:
            signed_in = httpx.post(f"{url}/v1/auth/login", json={"email": email, "password": password})
            demo.send_signal(signal.SIGTERM)
            document = json.loads(demo.stdout.read())
            ended = demo.wait()
        finally:
            shutil.rmtree(data_dir)

    assert signed_in.status_code == 200
    assert (ended, document["differences"]) == (0, [])
    assert [step["rows"] for step in document["steps"] if step["action"] == "Import"] == [
        2023,
        4,
        2034,
        44,
        160_000,
        12_000,
    ]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")
