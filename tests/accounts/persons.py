"""People over HTTP: signed in as programs and as browsers are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx

from tests.house import finished
from tests.product import PATIENCE_SECONDS, Workspace, answered
from tests.serving import PASSWORD, add_person

NEW_PASSWORD = "another good password"


def new_email() -> str:
    return f"{uuid4().hex}@example.com"


def someone(database_url: str) -> str:
    """The e-mail of somebody new, who can sign in with `PASSWORD`."""
    email = new_email()
    finished(add_person(database_url, email))
    return email


def post(url: str, path: str, body: dict[str, Any], token: str | None = None, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.post(f"{url}/v1/auth/{path}", json=body, headers=headers, timeout=PATIENCE_SECONDS, **more)


def login(url: str, email: str, password: str = PASSWORD) -> dict[str, Any]:
    return answered(post(url, "login", {"email": email, "password": password}), 200)


def token(url: str, email: str, password: str = PASSWORD) -> str:
    return str(login(url, email, password)["access_token"])


@contextmanager
def browser(url: str, email: str, password: str = PASSWORD, *, origin: str | None = None) -> Iterator[httpx.Client]:
    """Signed in by a cookie, as the pages of `url` are; `origin` is where users see them, if that is elsewhere."""
    with httpx.Client(base_url=f"{url}/v1", headers={"Origin": origin or url}, timeout=PATIENCE_SECONDS) as client:
        answered(client.post("/auth/login", json={"email": email, "password": password, "cookie": True}), 200)
        yield client


def invited(workspace: Workspace, email: str, role: str = "viewer") -> dict[str, Any]:
    return answered(workspace.admin.post("/invitations", json={"email": email, "role": role}), 201)


def accept(url: str, token: str, password: str | None = PASSWORD, *, signed_in: str | None = None) -> httpx.Response:
    body = {"token": token} | ({"password": password} if password is not None else {})
    return post(url, "invitations/accept", body, signed_in)


def colleague(workspace: Workspace, database_url: str, role: str) -> tuple[str, str]:
    """A person with a role in the workspace: their e-mail and an access token."""
    email = someone(database_url)
    secret = token(workspace.url, email)
    answered(accept(workspace.url, invited(workspace, email, role)["token"], None, signed_in=secret), 200)
    return email, secret
