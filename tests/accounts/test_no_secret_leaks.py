"""The whole way of people and robots, on a server of its own: no secret is in its log, its events or its answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from tests.accounts.persons import NEW_PASSWORD, accept, browser, new_email, post
from tests.cli.command import Served, new_data_dir, ptolemy, serving_process
from tests.mail import Postbox, postbox, token_in
from tests.product import Workspace, answered, wait_for

PASSWORD = "what ann has thought of"
PUBLIC = "http://127.0.0.1"
RESET = "what the operator has thought of"


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as opened:
        yield opened


@pytest.fixture
def served(box: Postbox) -> Iterator[Served]:
    variables = {
        "PTOLEMY_SIGNUP": "true",
        "PTOLEMY_SMTP_HOST": "127.0.0.1",
        "PTOLEMY_SMTP_PORT": str(box.port),
        "PTOLEMY_SMTP_SECURITY": "none",
        "PTOLEMY_SMTP_FROM": "ptolemy@example.com",
        "PTOLEMY_PUBLIC_URL": PUBLIC,
        "PTOLEMY_LOG_LEVEL": "debug",
    }
    with new_data_dir() as data_dir, serving_process(data_dir, 0, **variables) as running:
        yield running


def test_no_secret_and_no_hash_of_one_is_told_to_anybody(served: Served, box: Postbox) -> None:
    url, secrets = served.url, {PASSWORD, NEW_PASSWORD, RESET}
    ann = new_email()
    tokens = answered(post(url, "signup", {"email": ann, "password": PASSWORD}), 200)
    tokens |= {"old": tokens["refresh_token"]}
    tokens |= answered(post(url, "refresh", {"refresh_token": tokens["refresh_token"]}), 200)
    secrets |= {tokens[name] for name in ("access_token", "refresh_token", "old")}
    office = Workspace(url, "acme", tokens["access_token"])
    answered(office.admin.post(f"{url}/v1/workspaces", json={"slug": "acme"}), 201)
    robot = answered(office.admin.post("/memberships/robots", json={"name": "loader"}), 201)
    of_robot = f"/memberships/robots/{robot['id']}/tokens"
    token = answered(office.admin.post(of_robot, json={}), 201)
    rotated = answered(office.admin.post(f"{of_robot}/{token['id']}/rotate", json={}), 201)
    bob = new_email()
    answered(office.admin.post("/invitations", json={"email": bob}), 201)
    invitation = token_in(wait_for(lambda: box.letter_to(bob)))
    answered(accept(url, invitation, NEW_PASSWORD), 200)
    secrets |= {token["token"], rotated["token"], invitation}
    changed = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert office.admin.post(f"{url}/v1/auth/password", json=changed).status_code == 204
    reset = ptolemy("user", "set-password", bob, "--password-stdin", data_dir=served.data_dir, stdin=RESET)
    assert reset.returncode == 0, reset.stderr
    with browser(url, bob, RESET, origin=PUBLIC) as page:
        secrets.add(page.cookies["ptolemy_session"])
        shown = [
            page.get(path).text for path in ("/auth/me", "/auth/sessions", "/workspaces", "/workspaces/acme/events")
        ]
    reads = ("/memberships", "/memberships/robots", of_robot, f"{of_robot}/{token['id']}", "/invitations", "/events")
    shown += [office.admin.get(path).text for path in reads]
    assert office.admin.delete(f"{of_robot}/{rotated['id']}").status_code == 204
    assert httpx.get(f"{url}/v1/auth/me", headers={"Authorization": f"Bearer {token['token']}"}).status_code == 200
    told = "\n".join([*shown, *_rows(served, "events"), *_rows(served, "jobs"), (served.data_dir / "log").read_text()])
    assert ann in told and bob in told  # what is looked through is what happened
    hashes = [hashlib.sha256(secret.encode()) for secret in secrets]
    forbidden = {*secrets, *(made.hexdigest() for made in hashes), "$argon2"}
    assert not [secret for secret in forbidden if secret in told or secret.rpartition("_")[2] in told]


def _rows(served: Served, table: str) -> list[str]:
    found = json.loads(ptolemy("doctor", "--json", data_dir=served.data_dir).stdout)

    async def read() -> list[Any]:
        driver = await asyncpg.connect(found["database"]["dsn"])
        try:
            return list(await driver.fetch(f"select to_jsonb(t)::text as row from {table} t"))
        finally:
            await driver.close()

    return [row["row"] for row in asyncio.run(read())]
