"""The log, the metrics and the database of a real server after a day's work: everything is told, and no secret."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ptolemy.database.embedded.binaries import binaries_for
from ptolemy.database.embedded.children import account_for
from tests.cli.command import Served, new_data_dir, ptolemy, serving_process
from tests.product import Workspace, answered, problem, wait_for

PASSWORD = "what ann has thought of"
METRICS_TOKEN = "what only prometheus is told, and nobody else"
KEY = "the key of the bucket that nobody is to read"

Line = dict[str, Any]


@dataclass(frozen=True)
class Day:
    """A server that has done a day's work: who did it, and every secret that came up."""

    served: Served
    workspace: Workspace
    secrets: dict[str, str]

    def lines(self, **wanted: Any) -> list[Line]:
        """The lines of the log that say so."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]

    @property
    def log(self) -> str:
        return (self.served.data_dir / "log").read_text()


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    variables = {
        "PTOLEMY_METRICS_TOKEN": METRICS_TOKEN,
        "PTOLEMY_LOG_LEVEL": "debug",
        "PTOLEMY_BACKUP_BUCKETS": "s3://a-bucket",
        "AWS_ACCESS_KEY_ID": "an id",
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    with new_data_dir() as data_dir, serving_process(data_dir, 0, **variables) as served:
        assert ptolemy("workspace", "create", "acme", data_dir=data_dir).returncode == 0
        made = ptolemy(
            *("user", "create", "ann@example.com", "--workspace", "acme", "--role", "admin", "--password-stdin"),
            data_dir=data_dir,
            stdin=PASSWORD,
        )
        assert made.returncode == 0, made.stderr
        robot = ptolemy("token", "create", "--workspace", "acme", "--robot", "loader", data_dir=data_dir).stdout.strip()
        yield _worked(served, robot)


def _worked(served: Served, robot: str) -> Day:
    url, login = served.url, {"email": "ann@example.com", "password": PASSWORD}
    problem(httpx.post(f"{url}/v1/auth/login", json={**login, "password": f"{PASSWORD}?"}), 401, "invalid_credentials")
    first = answered(httpx.post(f"{url}/v1/auth/login", json=login), 200)
    body = {"refresh_token": first["refresh_token"]}
    second = answered(httpx.post(f"{url}/v1/auth/refresh", json=body), 200)
    work = Workspace(url, "acme", second["access_token"])
    made = answered(work.admin.post("/memberships/robots", json={"name": "reader", "role": "viewer"}), 201)
    tokens = f"/memberships/robots/{made.get('user_id') or made['id']}/tokens"
    token = answered(work.admin.post(tokens, json={}, headers={"Idempotency-Key": "once"}), 201)
    reader = work.client(token["token"])
    problem(reader.post("/markets", json={"identifier": "not by a viewer"}), 403, "forbidden")
    problem(work.admin.post("/markets", json={"identifier": "of no type"}), 422, "invalid_values")
    for client in (reader, work.admin):
        problem(client.post(f"{url}/v1/workspaces/not-theirs/markets", json={}), 404, "workspace_not_found")
    work.equity()
    work.create("instruments", identifier="bhp.ax", name="BHP", type_id="equity")
    job = work.finished(
        "exports", answered(work.client(robot).post("/exports", json={"resource_type": "instruments"}), 202)
    )
    assert httpx.get(job["download_url"]).status_code == 200
    work.admin.get("/instruments", params={"q": "a name that is searched for"})
    answered(
        work.admin.post(
            "/backup-policies", json={"name": "n", "schedule": "0 2 * * *", "destination": "s3://a-bucket/backups"}
        ),
        201,
    )
    httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    httpx.get(f"{url}/nowhere%0a%1b[2J?token={robot}")
    answered(httpx.post(f"{url}/v1/auth/logout", headers={"Authorization": f"Bearer {second['access_token']}"}), 204)
    data_dir = served.data_dir
    return Day(
        served,
        work,
        {
            "the password": PASSWORD,
            "the first access token": first["access_token"],
            "the first refresh token": first["refresh_token"],
            "the second access token": second["access_token"],
            "the second refresh token": second["refresh_token"],
            "the token of a robot": robot,
            "the token of another robot": token["token"],
            "the token for metrics": METRICS_TOKEN,
            "the key of the server": (data_dir / "secret.key").read_text().strip(),
            "the key of the bucket": KEY,
            "the signature of a download": urlsplit(job["download_url"]).path.rpartition("/")[2],
            "the password of the database": (data_dir / "password").read_text().strip(),
        },
    )


def test_no_secret_is_in_the_log(day: Day) -> None:
    log = wait_for(lambda: found if "post_auth_logout" in (found := day.log) else None)
    assert not [what for what, secret in day.secrets.items() if any(form in log for form in _forms(secret))]
    assert "a name that is searched for" not in log


def test_no_secret_is_in_the_database_nor_in_what_is_told_of_it(day: Day) -> None:
    dsn = json.loads(ptolemy("doctor", "--json", data_dir=day.served.data_dir).stdout)["database"]["dsn"]
    pg_dump = binaries_for(account_for(day.served.data_dir / "new")).program("pg_dump")
    dump = subprocess.run([pg_dump, dsn], capture_output=True, text=True, check=True).stdout
    assert "bhp.ax" in dump
    assert not [what for what, secret in day.secrets.items() if any(form in dump for form in _forms(secret)[:2])]


def test_no_secret_is_in_the_metrics(day: Day) -> None:
    shown = httpx.get(f"{day.served.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).text
    assert "get_files_signed" in shown
    assert not [what for what, secret in day.secrets.items() if secret in shown]


def test_one_line_a_request_says_who_did_what_where_and_how_it_ended(day: Day) -> None:
    [line] = day.lines(event="request", operation="post_workspaces_workspace_exports")
    assert line == {
        "event": "request",
        "level": "info",
        "timestamp": line["timestamp"],
        "request_id": line["request_id"],
        "method": "POST",
        "path": "/v1/workspaces/acme/exports",
        "operation": "post_workspaces_workspace_exports",
        "status": 202,
        "ms": line["ms"],
        "client": "127.0.0.1",
        "actor_type": "robot",
        "actor_id": line["actor_id"],
        "workspace_id": line["workspace_id"],
    }
    assert line["timestamp"].endswith("Z")
    assert len(line["request_id"]) == len(line["actor_id"]) == len(line["workspace_id"]) == 36


def test_sign_ins_are_told_whether_they_succeed_or_not(day: Day) -> None:
    assert [line["status"] for line in day.lines(operation="post_auth_login")] == [401, 200]


def test_who_was_refused_what_is_told(day: Day) -> None:
    told = day.lines(operation="post_workspaces_workspace_markets")
    assert [(line["status"], line["actor_type"]) for line in told] == [
        (403, "robot"),
        (422, "human"),
        (404, "robot"),
        (404, "human"),
    ]
    assert len({line["actor_id"] for line in told}) == 2


def test_an_address_is_told_as_it_was_sent_and_without_its_query(day: Day) -> None:
    assert [line["path"] for line in day.lines(status=404, operation=None)] == ["/nowhere%0a%1b[2J"]
    assert {line["path"] for line in day.lines(operation="get_files_signed")} == {"/v1/files/…"}


def _forms(secret: str) -> list[str]:
    """As it is, as it may be written in a header, and its digests."""
    raw = secret.encode()
    return [secret, base64.b64encode(raw).decode(), hashlib.sha256(raw).hexdigest()]
