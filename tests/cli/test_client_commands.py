"""The client's commands as processes, against a running server: what they say, leave on disk, and exit with."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ptolemy.backups.archive.verify import verify
from tests.cli.command import PTOLEMY, environment, failed
from tests.exports.test_round_trip import fill
from tests.product import Workspace, answered
from tests.s3 import Bucket, bucket

Run = Callable[..., subprocess.CompletedProcess[str]]

GOOD = "identifier,name,type_id\na,A,equity\n日本,B,equity\n"
BAD = "identifier,name,type_id\na,A,equity\nb b,B,equity\nc,C,nothing\n"


@pytest.fixture
def filled(workspace: Workspace) -> Workspace:
    fill(workspace)
    return workspace


@pytest.fixture
def robot(workspace: Workspace, tmp_path: Path) -> Run:
    """Runs a command with a robot's variables, in the test's directory."""
    return as_user(variables(workspace, workspace.token("member")), tmp_path)


@pytest.fixture
def person(workspace: Workspace, tmp_path: Path) -> Run:
    """The same with an admin's."""
    return as_user(variables(workspace, workspace.admin_token), tmp_path)


def variables(workspace: Workspace, token: str) -> dict[str, str]:
    return {"PTOLEMY_URL": workspace.url, "PTOLEMY_TOKEN": token, "PTOLEMY_WORKSPACE": workspace.slug}


def as_user(given: Mapping[str, str], folder: Path) -> Run:
    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        found = environment(XDG_CONFIG_HOME=str(folder / "config"), **{**given, **more})
        return subprocess.run(
            [str(PTOLEMY), *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            env=found,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def row(said: str, first: str) -> list[str]:
    """What stands behind a first cell of a table."""
    [cells] = [line.split()[1:] for line in said.splitlines() if line.split()[:1] == [first]]
    return cells


def test_export_writes_a_file_for_each_resource(filled: Workspace, robot: Run, tmp_path: Path) -> None:
    said = succeeded(robot("export", "instruments", "markets", "--to", "Größe/日本", "--include-archived"))
    folder = tmp_path / "Größe" / "日本"
    assert {each.name for each in folder.iterdir()} == {"instruments.json", "markets.json"}
    assert (folder / "instruments.json").read_bytes() == filled.export("instruments")
    assert row(said, "Größe/日本/instruments.json")[0] == "3"
    assert "\x1b" not in said


def test_export_says_it_to_scripts_and_replaces_an_older_file(filled: Workspace, robot: Run, tmp_path: Path) -> None:
    (tmp_path / "instruments.csv").write_text("older")
    condition = json.dumps({"field": "identifier", "op": "eq", "value": "日本"})
    said = json.loads(succeeded(robot("export", "instruments", "--format", "csv", "--filter", condition, "--json")))
    assert [(each["file"], each["rows"]) for each in said["files"]] == [("instruments.csv", 1)]
    assert "日本" in (tmp_path / "instruments.csv").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("export",),
        ("export", "nothing"),
        ("export", "instruments", "--format", "xml"),
        ("export", "instruments", "--filter", "{"),
        ("export", "instruments", "--filter", "[]"),
        ("import", "missing.csv"),
        ("import", "--on-error", "ignore", "instruments.csv"),
        ("import", "prices.csv"),
        ("backup",),
        ("backup", "--to", "s3://bucket/backup"),
        ("backup", "--to", "s3://Bucket/Ä.zip"),
        ("restore",),
        ("restore", "--from", "missing.zip"),
        ("diff", "missing.zip", "workspace:"),
        ("export", "instruments", "--profile", "nobody"),
        ("export", "instruments", "--url", "example.com"),
    ],
)
def test_wrong_usage_exits_with_2(robot: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "prices.csv").write_text(GOOD)
    (tmp_path / "instruments.csv").write_text(GOOD)
    done = robot(*arguments)
    assert done.returncode == 2, done
    assert done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["url", "token", "workspace"])
def test_a_command_says_what_it_has_to_know(robot: Run, name: str) -> None:
    line = failed(robot("export", "instruments", **{f"PTOLEMY_{name.upper()}": ""}), 2)
    assert f"--{name}" in line and f"PTOLEMY_{name.upper()}" in line and "profiles.toml" in line


def test_a_profile_stands_for_the_variables(workspace: Workspace, tmp_path: Path) -> None:
    config = tmp_path / "config" / "ptolemy"
    config.mkdir(parents=True)
    good = f'url = "{workspace.url}"\ntoken = "{workspace.admin_token}"\nworkspace = "{workspace.slug}"\n'
    (config / "profiles.toml").write_text(f"[default]\n{good}[other]\n{good}")
    wrong = {"PTOLEMY_WORKSPACE": "wrong"}
    succeeded(as_user({}, tmp_path)("export", "instruments"))
    succeeded(as_user(wrong, tmp_path)("export", "instruments", "--profile", "other"))
    failed_lines = as_user(wrong, tmp_path)("export", "instruments")
    assert failed_lines.returncode == 1
    (config / "profiles.toml").write_text("[default\n")
    assert "profiles.toml" in failed(as_user({}, tmp_path)("export", "instruments"), 2)


def test_a_server_that_is_down_is_one_line(robot: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert url in failed(robot("export", "instruments", "--url", url))


def test_a_wrong_token_and_a_wrong_workspace_are_one_line(robot: Run) -> None:
    assert "ptolemy: " in failed(robot("export", "instruments", "--token", "ptk_live_" + "0" * 64))
    assert "ptolemy: " in failed(robot("export", "instruments", "--workspace", "nobody"))


def test_import_takes_files_in_the_order_of_a_restore(workspace: Workspace, robot: Run, tmp_path: Path) -> None:
    workspace.equity()
    prices = "instrument_id,type_id,timestamp,value\n日本,close,2026-01-01,1.50\n"
    (tmp_path / "time_series_values.csv").write_text(prices)
    (tmp_path / "instruments.csv").write_text(GOOD)
    said = succeeded(robot("import", "time_series_values.csv", "instruments.csv"))
    assert row(said, "instruments.csv") == ["instruments", "2", "0", "0", "completed"]
    assert len(workspace.robot.get("/time-series-values").json()["data"]) == 1


def test_import_lists_the_rows_in_error(workspace: Workspace, robot: Run, tmp_path: Path) -> None:
    workspace.equity()
    (tmp_path / "instruments.csv").write_text(BAD)
    done = robot("import", "instruments.csv")
    assert done.returncode == 1
    assert row(done.stdout, "2")[:2] == ["3", "identifier"]
    assert row(done.stdout, "3")[:2] == ["4", "type_id"]
    assert done.stderr.startswith("ptolemy: the import of instruments failed")
    assert not workspace.robot.get("/instruments").json()["data"]


def test_import_continues_when_told_and_still_exits_with_1(workspace: Workspace, robot: Run, tmp_path: Path) -> None:
    workspace.equity()
    (tmp_path / "instruments.csv").write_text(BAD)
    done = robot("import", "instruments.csv", "--on-error", "continue", "--json")
    assert (done.returncode, done.stderr.count("ptolemy:")) == (1, 0)
    [job] = json.loads(done.stdout)["imports"]
    assert (job["rows_imported"], job["rows_failed"]) == (1, 2)
    assert [error["row"] for error in job["errors"]] == [2, 3]


def test_import_may_be_tried_first_and_may_change_records(workspace: Workspace, robot: Run, tmp_path: Path) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="Before", type_id="equity")
    (tmp_path / "new.csv").write_text(GOOD)
    asked = ("import", "new.csv", "--resource", "instruments", "--identifier-column", "identifier")
    assert "nothing was changed" in succeeded(robot(*asked, "--dry-run"))
    assert workspace.robot.get("/instruments/a").json()["name"] == "Before"
    succeeded(robot(*asked))
    assert workspace.robot.get("/instruments/a").json()["name"] == "A"


def test_a_workspace_is_backed_up_to_a_zip_and_restored(
    filled: Workspace, person: Run, new_workspace: Callable[[], Workspace], tmp_path: Path
) -> None:
    said = succeeded(person("backup", "--to", "backups/日本.zip"))
    assert verify(tmp_path / "backups" / "日本.zip").result == "fine"
    assert "backups/日本.zip" in said
    copy = new_workspace()
    said = succeeded(person("restore", "--from", "backups/日本.zip", "--workspace", copy.slug))
    assert row(said, "instruments.json") == ["3", "3", "0", "0", "0"]
    assert "hold the same rows" in succeeded(person("diff", "backups/日本.zip", f"workspace:{copy.slug}"))
    assert "there already" in failed(person("backup", "--to", "backups/日本.zip"))
    succeeded(person("backup", "--to", "backups/日本.zip", "--overwrite"))


def test_a_robot_backs_up_to_a_directory_and_restores_it(
    filled: Workspace, robot: Run, new_workspace: Callable[[], Workspace], tmp_path: Path
) -> None:
    assert "a directory" in failed(robot("backup", "--to", "backup.zip"))
    said = json.loads(succeeded(robot("backup", "--to", "backup", "--json")))
    assert len(said["files"]) == len(list((tmp_path / "backup").iterdir())) - 1 == 9
    copy = new_workspace()
    copy.equity()
    told = ("--workspace", copy.slug, "--token", copy.token("member"))
    files = json.loads(succeeded(robot("restore", "--from", "backup", "--json", *told)))["files"]
    assert all(each["created"] == each["expected"] for each in files)
    again = robot("restore", "--from", "backup", *told)
    assert again.returncode == 1 and "conflict" in again.stdout
    succeeded(robot("restore", "--from", "backup", "--into-existing", *told))
    assert copy.export("instruments") == filled.export("instruments")


def test_a_restore_that_stops_says_which_files_are_in(
    filled: Workspace, robot: Run, new_workspace: Callable[[], Workspace], tmp_path: Path
) -> None:
    succeeded(robot("backup", "--to", "backup"))
    copy = new_workspace()
    copy.equity()
    answer = copy.admin.delete("/series/close", params={"hard": "true"})
    assert answer.status_code == 204
    done = robot("restore", "--from", "backup", "--workspace", copy.slug, "--token", copy.token("member"))
    assert done.returncode == 1
    assert "instruments.json" in done.stdout and "time_series_values" in done.stderr


def test_diff_tells_a_live_workspace_from_its_backup(filled: Workspace, person: Run) -> None:
    succeeded(person("backup", "--to", "monday.zip"))
    filled.robot.patch("/instruments/bhp.ax", json={"name": "New"})
    done = person("diff", "monday.zip", "workspace:", "--json")
    assert (done.returncode, json.loads(done.stdout)["equal"]) == (1, False)


def test_a_robot_compares_its_directory_with_the_live_workspace(filled: Workspace, robot: Run) -> None:
    succeeded(robot("backup", "--to", "monday"))
    assert "hold the same rows" in succeeded(robot("diff", "monday", "workspace:"))
    filled.robot.patch("/instruments/bhp.ax", json={"name": "New"})
    done = robot("diff", "workspace:", "monday")
    assert (done.returncode, "1 changed" in done.stdout) == (1, True)


@pytest.fixture
def s3() -> Iterator[Bucket]:
    with bucket() as made:
        yield made


def test_a_backup_in_s3_is_read_back_and_restored_from_there(
    filled: Workspace, person: Run, new_workspace: Callable[[], Workspace], s3: Bucket, tmp_path: Path
) -> None:
    there = f"{s3.url}/acme.zip"
    said = json.loads(succeeded(person("backup", "--to", there, "--json", TMPDIR=str(tmp_path))))
    assert said["files"][0]["file"] == there
    assert not list(tmp_path.glob("ptolemy-backup-*"))
    assert ("GET", "/".join(["", *there.split("/")[2:]])) in s3.asked
    succeeded(person("restore", "--from", there, "--workspace", new_workspace().slug))
    assert succeeded(person("verify", there)).endswith(f"{there}: fine\n")
    assert "there already" in failed(person("backup", "--to", there))
    assert "there is no" in failed(person("restore", "--from", f"{s3.url}/other.zip"))


def test_a_backup_that_s3_refuses_is_kept_here(workspace: Workspace, person: Run, s3: Bucket, tmp_path: Path) -> None:
    s3.rule = lambda method, path: 403 if method in ("PUT", "POST") else None
    line = failed(person("backup", "--to", f"{s3.url}/acme.zip", TMPDIR=str(tmp_path)))
    [kept] = tmp_path.glob("ptolemy-backup-*/acme.zip")
    assert str(kept) in line and "not stored" in line
    assert verify(kept).result == "fine"


def test_a_backup_that_s3_gives_back_changed_is_kept_here(
    workspace: Workspace, person: Run, s3: Bucket, tmp_path: Path
) -> None:
    s3.flip = True
    line = failed(person("backup", "--to", f"{s3.url}/acme.zip", "--overwrite", TMPDIR=str(tmp_path)))
    [kept] = tmp_path.glob("ptolemy-backup-*/acme.zip")
    assert str(kept) in line and "isn't what was sent" in line


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_a_missing_bucket_is_told_before_a_backup_is_taken(
    workspace: Workspace, person: Run, s3: Bucket, tmp_path: Path, overwrite: tuple[str, ...]
) -> None:
    line = failed(person("backup", "--to", "s3://not-there/acme.zip", *overwrite, TMPDIR=str(tmp_path)))
    assert line.startswith("ptolemy: s3://not-there/acme.zip: ") and "404 Not Found" in line
    assert not list(tmp_path.glob("ptolemy-backup-*"))
    assert answered(workspace.admin.get("/exports"), 200)["data"] == []


def test_commands_say_what_the_bucket_itself_answers(person: Run, s3: Bucket) -> None:
    assert "404 Not Found" in failed(person("verify", "s3://not-there/acme.zip"))
    s3.rule = lambda method, path: 403
    line = failed(person("verify", f"{s3.url}/acme.zip"))
    assert "refuses the server's credentials" in line and "403 Forbidden" in line


@pytest.mark.parametrize("endpoint", ["minio.example.com:9000", "http://", "http://minio:port", "ftp://minio"])
def test_an_endpoint_of_s3_that_is_no_address_is_told_by_its_variable(person: Run, s3: Bucket, endpoint: str) -> None:
    said = f"ptolemy: AWS_ENDPOINT_URL must be an address like https://minio.example.com, got '{endpoint}'"
    assert failed(person("verify", f"{s3.url}/acme.zip", AWS_ENDPOINT_URL=endpoint)) == said
    assert failed(person("backup", "--to", f"{s3.url}/acme.zip", AWS_ENDPOINT_URL=endpoint)) == said


def test_a_pipe_is_no_backup(person: Run) -> None:
    for arguments in (("verify", "/dev/stdin"), ("restore", "--from", "/dev/stdin")):
        assert "write it to a file first" in failed(person(*arguments), 2)


def test_a_part_of_a_backup_that_has_no_room_here_says_so(filled: Workspace, person: Run, tmp_path: Path) -> None:
    succeeded(person("backup", "--to", "acme.zip"))
    given = variables(filled, filled.admin_token)
    limited = f"ulimit -f 1 && exec {PTOLEMY} restore --from acme.zip --only instrument=bhp.ax"
    done = subprocess.run(
        ["bash", "-c", limited], cwd=tmp_path, env=environment(**given), capture_output=True, text=True, check=False
    )
    assert failed(done) == "ptolemy: there is no room on the disk (File too large)"


def test_bars_are_drawn_on_a_terminal_alone(filled: Workspace, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    given = environment(**variables(filled, filled.token("member")), TERM="xterm", XDG_CONFIG_HOME=str(tmp_path))
    command = [str(PTOLEMY), "export", "instruments", "--json"]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, env=given, check=True)
    os.close(theirs)
    assert json.loads(done.stdout)["files"][0]["rows"] == 2
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "instruments: downloading" in drawn and "━" in drawn


def test_one_record_is_brought_back_with_what_belongs_to_it(filled: Workspace, person: Run) -> None:
    succeeded(person("backup", "--to", "monday.zip"))
    lost = filled.admin.delete("/instruments/bhp.ax", params={"hard": "true", "cascade": "true"})
    assert lost.status_code == 204
    filled.admin.patch("/instruments/日本", json={"name": "as of today"})
    asked = ("restore", "--from", "monday.zip", "--only", "instrument=bhp.ax")
    assert "nothing was changed" in succeeded(person(*asked, "--dry-run"))
    assert filled.robot.get("/instruments/bhp.ax").status_code == 404
    assert row(succeeded(person(*asked)), "instruments.json")[1] == "1"
    assert len(filled.robot.get("/time-series-values?instrument_id=bhp.ax&archived=true").json()["data"]) == 3
    assert filled.robot.get("/instruments/日本").json()["name"] == "as of today"
    assert "nobody" in failed(person("restore", "--from", "monday.zip", "--only", "instrument=nobody"))
    assert "--only" in failed(person("restore", "--from", "monday.zip", "--only", "bhp.ax"), 2)


def test_verify_rehearses_when_asked(filled: Workspace, person: Run, robot: Run, tmp_path: Path) -> None:
    succeeded(person("backup", "--to", "acme.zip"))
    said = json.loads(succeeded(robot("verify", "acme.zip", "--rehearse", "--subset", "10%", "--json")))
    assert (said["result"], said["rehearsal"]["result"]) == ("fine", "passed")
    assert "the rehearsal passed" in succeeded(robot("verify", "acme.zip", "--rehearse"))
    succeeded(robot("backup", "--to", "files"))
    assert "ZIP" in failed(robot("verify", "files", "--rehearse"), 2)
    (tmp_path / "acme.zip").write_bytes((tmp_path / "acme.zip").read_bytes()[:-100])
    done = robot("verify", "acme.zip", "--rehearse", "--url", "http://127.0.0.1:1")
    assert done.returncode == 3 and "rehearsal" not in done.stdout
