"""Signing in, and workspaces to work in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ptolemy.demo.problems import DemoProblem
from ptolemy.demo.schema import schema
from ptolemy.demo.server import Server

REQUEST_SECONDS = 60


@contextmanager
def signed_in(server: Server) -> Iterator[httpx.Client]:
    """The API as the demo's person uses it, at `/v1`."""
    with _client(f"{server.url}/v1") as client:
        tokens = client.post("/auth/login", json={"email": server.email, "password": server.password}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        yield client


def create_workspace(person: httpx.Client, slug: str, name: str) -> str:
    """A workspace with the demo's schema, and the token of a robot that may load and export its data."""
    person.post("/workspaces", json={"slug": slug, "name": name})
    for path, record in schema():
        person.post(f"/workspaces/{slug}{path}", json=record)
    robots = f"/workspaces/{slug}/memberships/robots"
    robot: dict[str, Any] = person.post(robots, json={"name": "demo", "role": "member"}).json()
    token: str = person.post(f"{robots}/{robot['id']}/tokens", json={"name": "demo"}).json()["token"]
    return token


@contextmanager
def workspace(server: Server, slug: str, token: str) -> Iterator[httpx.Client]:
    """One workspace as its robot uses it: paths begin below `/v1/workspaces/{slug}`."""
    with _client(f"{server.url}/v1/workspaces/{slug}") as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def _client(url: str) -> httpx.Client:
    # Without the environment's proxies: the server is on this machine.
    return httpx.Client(
        base_url=url, timeout=REQUEST_SECONDS, trust_env=False, event_hooks={"response": [_refuse_problems]}
    )


def _refuse_problems(response: httpx.Response) -> None:
    if response.is_success:
        return
    said = response.read().decode(errors="replace")
    raise DemoProblem(f"{response.request.method} {response.request.url.path} answered {response.status_code}: {said}")
