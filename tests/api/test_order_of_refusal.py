"""A request with two faults is told the one that comes first: 401, 404 of the workspace, 403, 415, 413, 400, 404, 412,
409, 422."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ptolemy.api.bodies import MAX_JSON_BYTES
from tests.lifecycle.stock import Stock
from tests.product import Workspace, answered, problem

STALE = {"if-match": '"stale"'}
JSON = {"content-type": "application/json"}
UNKNOWN = "/instruments/nope"
BAD: dict[str, Any] = {"json": {"name": 5}}
MALFORMED: dict[str, Any] = {"content": b"{", "headers": JSON}
UNTYPED: dict[str, Any] = {"content": b"{"}


def endless() -> Iterator[bytes]:
    """Too long, and not JSON either."""
    for _ in range(MAX_JSON_BYTES // 100_000 + 1):
        yield b"{" * 100_000


@dataclass(frozen=True)
class Office:
    """Who asks, and for what: `archived` is a record that is archived, `etag` its version."""

    shop: Stock
    other: Workspace
    clients: dict[str, httpx.Client]
    archived: str

    def ask(self, who: str, method: str, path: str, more: dict[str, Any]) -> httpx.Response:
        return self.clients[who].request(method, path.format(archived=self.archived), **more)


@pytest.fixture(scope="module")
def office(shop: Stock, new_workspace: Callable[[], Workspace]) -> Office:
    other, own = new_workspace(), shop.workspace
    key = uuid4().hex
    own.create("instruments", identifier=key, name="Archived", type_id="equity")
    shop.archive("instruments", key)
    clients = {
        "nobody": own.client("ptk_live_" + "0" * 64),
        "nobody elsewhere": other.client(None),
        "viewer elsewhere": other.client(own.token("viewer")),
        "viewer": own.client(own.token("viewer")),
        "member": own.robot,
        "admin": own.admin,
    }
    return Office(shop, other, clients, f"/instruments/{key}")


def with_headers(of: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    return {**of, "headers": {**of.get("headers", {}), **headers}}


PAIRS: list[tuple[str, str, str, str, dict[str, Any], int, str]] = [
    ("401 before 404 of the workspace", "nobody elsewhere", "POST", "/instruments", BAD, 401, "unauthorized"),
    ("401 before 403", "nobody", "POST", "/instrument-types", BAD, 401, "invalid_token"),
    ("404 of the workspace before 403", "viewer elsewhere", "POST", "/instruments", BAD, 404, "workspace_not_found"),
    ("403 before 415", "viewer", "POST", "/instruments", UNTYPED, 403, "forbidden"),
    ("403 before 415, in an import", "viewer", "POST", "/imports", UNTYPED, 403, "forbidden"),
    ("403 before 404", "viewer", "PATCH", UNKNOWN, BAD, 403, "forbidden"),
    ("403 before 412", "viewer", "DELETE", "/instruments/bhp.ax", {"headers": STALE}, 403, "forbidden"),
    ("415 before 413", "member", "POST", "/instruments", {"content": endless}, 415, "unsupported_media_type"),
    ("415 before 400", "member", "POST", "/instruments", UNTYPED, 415, "unsupported_media_type"),
    ("415 before 404", "member", "PATCH", UNKNOWN, UNTYPED, 415, "unsupported_media_type"),
    ("415 before 422 of the query", "member", "POST", "/instruments?x=1", UNTYPED, 415, "unsupported_media_type"),
    ("415 before 422 of the query, in an import", "member", "POST", "/imports?x=1", BAD, 415, "unsupported_media_type"),
    ("413 before 400", "member", "POST", "/instruments", {"content": endless, "headers": JSON}, 413, "body_too_large"),
    ("413 before 404", "member", "PATCH", UNKNOWN, {"content": endless, "headers": JSON}, 413, "body_too_large"),
    ("400 before 404", "member", "PATCH", UNKNOWN, MALFORMED, 400, "malformed_json"),
    ("400 before 412", "member", "PATCH", "{archived}", with_headers(MALFORMED, STALE), 400, "malformed_json"),
    ("400 before 422 of the query", "member", "PATCH", UNKNOWN + "?x=1", MALFORMED, 400, "malformed_json"),
    (
        "400 of what is not offered before 404",
        "member",
        "DELETE",
        "/market-listings/nope?hard=true",
        {},
        400,
        "hard_delete_unsupported",
    ),
    ("404 before 412", "member", "PATCH", UNKNOWN, with_headers(BAD, STALE), 404, "not_found"),
    ("404 before 422", "member", "PATCH", UNKNOWN, BAD, 404, "not_found"),
    ("404 before 422, in a delete", "member", "DELETE", f"{UNKNOWN}?cascade=true", {}, 404, "not_found"),
    ("404 before 422, in a restore", "member", "POST", f"{UNKNOWN}/restore?x=1", {}, 404, "not_found"),
    ("404 before 422, in a get", "member", "GET", f"{UNKNOWN}?x=1", {}, 404, "not_found"),
    ("404 before 422, in a token", "admin", "POST", "/memberships/robots/nope/tokens", BAD, 404, "not_found"),
    ("404 before 422, in a robot", "admin", "PATCH", "/memberships/robots/nope", BAD, 404, "not_found"),
    ("404 before 422, in an invitation", "admin", "DELETE", "/invitations/nope?x=1", {}, 404, "not_found"),
    ("403 before 422, in an invitation", "member", "POST", "/invitations", BAD, 403, "forbidden"),
    ("404 before 422, in a member", "admin", "PATCH", "/memberships/nope", {"json": {"role": 5}}, 404, "not_found"),
    ("404 before 422, in an import", "member", "GET", "/imports/nope/errors?limit=x", {}, 404, "not_found"),
    ("404 before 422, in an export", "member", "POST", "/exports/nope/cancel?x=1", {}, 404, "not_found"),
    ("412 before 409", "member", "PATCH", "{archived}", {"json": {}, "headers": STALE}, 412, "precondition_failed"),
    (
        "412 before 409, in a restore",
        "member",
        "POST",
        "/instruments/bhp.ax/restore",
        {"headers": STALE},
        412,
        "precondition_failed",
    ),
    (
        "412 before 409, in a hard delete",
        "member",
        "DELETE",
        "/instruments/bhp.ax?hard=true",
        {"headers": STALE},
        412,
        "precondition_failed",
    ),
    ("412 before 422", "member", "PATCH", "{archived}", with_headers(BAD, STALE), 412, "precondition_failed"),
    (
        "412 before 422 of an active record",
        "member",
        "PATCH",
        "/instruments/bhp.ax",
        with_headers(BAD, STALE),
        412,
        "precondition_failed",
    ),
    (
        "412 before 422, in a delete",
        "member",
        "DELETE",
        "/instruments/bhp.ax?cascade=true",
        {"headers": STALE},
        412,
        "precondition_failed",
    ),
    ("409 before 422", "member", "PATCH", "{archived}", BAD, 409, "archived"),
    ("409 before 422 of a rule", "member", "PATCH", "{archived}", {"json": {"type_id": "nope"}}, 409, "archived"),
    ("409 before 422 of the query", "member", "PATCH", "{archived}?x=1", {"json": {}}, 409, "archived"),
    ("409 before 422, in a restore", "member", "POST", "/instruments/bhp.ax/restore?x=1", {}, 409, "not_archived"),
    ("422 last", "member", "PATCH", "/instruments/bhp.ax", BAD, 422, "invalid_values"),
]


@pytest.mark.parametrize(
    ("who", "method", "path", "more", "status", "code"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS]
)
def test_the_first_fault_is_told(
    office: Office, who: str, method: str, path: str, more: dict[str, Any], status: int, code: str
) -> None:
    sent = {name: value() if callable(value) else value for name, value in more.items()}
    problem(office.ask(who, method, path, sent), status, code)


def test_a_robot_is_told_that_workspaces_are_for_people_before_its_body_is_read(shop: Stock) -> None:
    for content in (b"{", b'{"slug": 5}'):
        response = shop.workspace.robot.post(f"{shop.workspace.url}/v1/workspaces", content=content)
        problem(response, 403, "humans_only")
    problem(shop.workspace.robot.post(f"{shop.workspace.url}/v1/auth/logout"), 403, "humans_only")


def test_an_archived_record_is_still_archived_again_without_a_word(office: Office) -> None:
    answered(office.ask("member", "DELETE", "{archived}", {}), 204)
