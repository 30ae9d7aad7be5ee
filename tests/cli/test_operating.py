"""From the first start to somebody who is signed in, by the commands that the server prints."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.cli.command import Served, failed, new_data_dir, ptolemy, serving_process

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def acme(served: Served) -> Served:
    """A server that has a workspace with an admin."""
    created = ptolemy("workspace", "create", "acme", "--name", "Acme", data_dir=served.data_dir)
    assert created.returncode == 0, created.stderr
    made = ptolemy(
        *("user", "create", "ann@example.com", "--workspace", "acme", "--role", "admin", "--password-stdin"),
        data_dir=served.data_dir,
        stdin=f"{PASSWORD}\n",
    )
    assert made.returncode == 0, made.stderr
    return served


def test_the_first_start_says_how_to_sign_in(served: Served) -> None:
    for command in ("workspace create acme", "user create you@example.com", "token create --workspace acme"):
        assert f"ptolemy {command}" in served.greeting
    assert str(served.data_dir) in served.greeting
    assert httpx.get(f"{served.url}/healthz").status_code == 200


def test_a_person_created_on_the_command_line_can_sign_in(acme: Served) -> None:
    answer = httpx.post(f"{acme.url}/v1/auth/login", json={"email": "ann@example.com", "password": PASSWORD})
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.get(f"{acme.url}/v1/workspaces/acme", headers=headers).json()["role"] == "admin"
    statuses = httpx.get(f"{acme.url}/v1/workspaces/acme/market-listing-statuses", headers=headers).json()["data"]
    assert {status["identifier"] for status in statuses} == {"active", "halted", "delisted"}


def test_a_token_stands_alone_on_stdout_and_works_at_once(acme: Served) -> None:
    made = ptolemy("token", "create", "--workspace", "acme", "--robot", "loader", data_dir=acme.data_dir)
    assert (made.returncode, made.stderr) == (0, "")
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    answer = httpx.get(f"{acme.url}/v1/workspaces/acme", headers=headers)
    assert (answer.status_code, answer.json()["role"]) == (200, "member")


def test_a_robots_name_stands_for_one_robot(acme: Served) -> None:
    made = [
        ptolemy("token", "create", "--workspace", "acme", "--robot", "twin", "--json", data_dir=acme.data_dir)
        for _ in range(2)
    ]
    first, second = (json.loads(command.stdout) for command in made)
    assert first["robot_id"] == second["robot_id"]
    assert first["token"] != second["token"]


def test_a_person_who_exists_is_added_to_another_workspace_and_keeps_the_password(acme: Served) -> None:
    ptolemy("workspace", "create", "second", data_dir=acme.data_dir)
    added = ptolemy(
        *("user", "create", "ann@example.com", "--workspace", "second", "--password-stdin", "--json"),
        data_dir=acme.data_dir,
        stdin="another password\n",
    )
    assert json.loads(added.stdout)["created"] is False
    answer = httpx.post(f"{acme.url}/v1/auth/login", json={"email": "ann@example.com", "password": PASSWORD})
    assert answer.status_code == 200


def test_a_person_who_exists_joins_a_workspace_without_any_password(acme: Served) -> None:
    ptolemy("workspace", "create", "third", data_dir=acme.data_dir)
    joining = ("--workspace", "third", "--role", "viewer")
    added = ptolemy("user", "create", "Ann@example.com", *joining, data_dir=acme.data_dir)
    assert (added.returncode, added.stderr) == (0, "")
    assert "ann@example.com is viewer of third" in added.stdout
    assert "--password-stdin" in failed(ptolemy("user", "create", "new@x", *joining, data_dir=acme.data_dir), 2)


def test_the_operator_sets_a_forgotten_password_and_ends_all_sessions(acme: Served) -> None:
    created = ptolemy("user", "create", "eve@example.com", "--password-stdin", data_dir=acme.data_dir, stdin=PASSWORD)
    assert created.returncode == 0, created.stderr
    login = {"email": "eve@example.com", "password": PASSWORD}
    old = httpx.post(f"{acme.url}/v1/auth/login", json=login).json()
    new = "a password that eve has thought of"
    done = ptolemy("user", "set-password", "Eve@example.com", "--password-stdin", data_dir=acme.data_dir, stdin=new)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "eve@example.com has a new password, and has to sign in again everywhere\n"
    assert json.loads(done.stderr)["event"] == "password_set_by_operator"
    assert "eve@example.com" not in done.stderr and new not in done.stderr
    headers = {"Authorization": f"Bearer {old['access_token']}"}
    assert httpx.get(f"{acme.url}/v1/auth/me", headers=headers).status_code == 401
    refresh = {"refresh_token": old["refresh_token"]}
    assert httpx.post(f"{acme.url}/v1/auth/refresh", json=refresh).status_code == 401
    assert httpx.post(f"{acme.url}/v1/auth/login", json=login).status_code == 401
    assert httpx.post(f"{acme.url}/v1/auth/login", json={**login, "password": new}).status_code == 200


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (("workspace", "create", "acme"), "", "is taken"),
        (("user", "create", "bob@example.com", "--password-stdin"), "short\n", "password: must have 8"),
        (("user", "create", "ann@example.com", "--password-stdin"), f"{PASSWORD}\n", "has an account already"),
        (("user", "create", "b@x", "--workspace", "nope", "--password-stdin"), f"{PASSWORD}\n", "no workspace 'nope'"),
        (("user", "create", "b@x", "--password-stdin"), "password123\n", "password: is one of those"),
        (("user", "set-password", "nobody@x", "--password-stdin"), f"{PASSWORD}\n", "nobody has the e-mail"),
        (("user", "set-password", "ann@example.com", "--password-stdin"), "short\n", "password: must have 8"),
        (("token", "create", "--workspace", "acme", "--robot", "r", "--role", "admin"), "", "role: must be one of"),
    ],
)
def test_what_is_refused_is_one_line_and_exit_1(
    acme: Served, arguments: tuple[str, ...], stdin: str, says: str
) -> None:
    assert says in failed(ptolemy(*arguments, data_dir=acme.data_dir, stdin=stdin))


def test_a_workspace_is_put_on_another_plan(acme: Served) -> None:
    ptolemy("workspace", "create", "renting", data_dir=acme.data_dir)
    moved = ptolemy("workspace", "set-plan", "renting", "starter", data_dir=acme.data_dir)
    assert (moved.returncode, moved.stdout) == (0, "workspace renting is on the plan starter\n")
    again = ptolemy("workspace", "set-plan", "renting", "growth", "--json", data_dir=acme.data_dir)
    told = json.loads(again.stdout)
    assert (told["slug"], told["plan"], told["items_counted"]) == ("renting", "growth", True)
    assert "must be one of starter" in failed(
        ptolemy("workspace", "set-plan", "renting", "gold", data_dir=acme.data_dir)
    )
    assert "no workspace 'nobody'" in failed(
        ptolemy("workspace", "set-plan", "nobody", "growth", data_dir=acme.data_dir)
    )


def test_a_mistake_in_the_file_of_plans_stops_the_start(acme: Served) -> None:
    with new_data_dir() as folder:
        (folder / "plans.toml").write_text("[starter]\nitems = -1\n")
        line = failed(ptolemy("serve", data_dir=folder, PTOLEMY_PLANS_FILE=str(folder / "plans.toml")))
        assert "PTOLEMY_PLANS_FILE" in line and "starter.items" in line
        assert not (folder / "postgres").exists()


def test_a_second_serve_on_the_same_data_directory_is_one_clear_line(served: Served) -> None:
    line = failed(ptolemy("serve", "--port", "0", data_dir=served.data_dir))
    assert str(served.data_dir) in line and str(served.process.pid) in line


def test_a_port_that_is_taken_is_one_clear_line(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = failed(ptolemy("serve", "--port", port, PTOLEMY_DATABASE_URL=database_url))
    assert f"port {port}" in line and "in use" in line


def test_the_secret_key_is_nobody_elses_business(served: Served) -> None:
    assert (served.data_dir / "secret.key").stat().st_mode & 0o077 == 0


def test_doctor_finds_nothing_wrong_and_its_dsn_sees_all_workspaces(acme: Served) -> None:
    found = ptolemy("doctor", "--json", data_dir=acme.data_dir)
    report = json.loads(found.stdout)
    assert (found.returncode, report["ok"]) == (0, True), report
    assert {check["level"] for check in report["checks"]} == {"ok"}, report

    async def workspaces() -> int:
        driver = await asyncpg.connect(report["database"]["dsn"])
        try:
            return int(await driver.fetchval("select count(distinct workspace_id) from market_listing_statuses"))
        finally:
            await driver.close()

    assert asyncio.run(workspaces()) >= 1


def test_behind_a_proxy_serve_tells_where_it_listens_and_what_users_see() -> None:
    public = "https://ptolemy.example.com"
    with new_data_dir() as directory, serving_process(directory, PTOLEMY_PUBLIC_URL=public) as running:
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        assert public in running.greeting


def test_an_endpoint_of_s3_that_is_no_address_stops_the_start(tmp_path: Path) -> None:
    variables = {"PTOLEMY_STORAGE_URL": "s3://a-bucket", "AWS_ENDPOINT_URL": "minio.example.com:9000"}
    for command in ("serve", "worker"):
        line = failed(ptolemy(command, data_dir=tmp_path, **variables))
        assert line.startswith("ptolemy: AWS_ENDPOINT_URL must be an address like https://"), line
    assert list(tmp_path.iterdir()) == []
