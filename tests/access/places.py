"""For each address of the API, something that is there; and for each body that it takes, one that is good."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any
from uuid import uuid4

from tests.engine.test_every_resource import BODIES, CHANGES
from tests.product import Workspace, answered, wait_for
from tests.serving import PASSWORD

Body = dict[str, Any]

_NUMBERS = count(1)


def _instant(number: int) -> str:
    return (datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)).isoformat()


class Stock:
    """A workspace that has one of everything that the addresses name.

    Some of it is what a job has made: `stock_up` while jobs run.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        workspace.equity()
        workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange")
        for tag in ("growth", "value"):
            workspace.create("instrument-tags", identifier=tag)
        workspace.create("instruments", identifier="i0", name="Parent", type_id="equity")
        self.listing = workspace.create("market-listings", instrument_id="i0", market_id="xasx")["id"]
        self._found: dict[str, dict[str, str]] = {}

    def body(self, collection: str) -> Body:
        """A body that makes a new record, unlike any before."""
        number = next(_NUMBERS)
        body = BODIES[collection](0)
        fresh = {
            "identifier": f"new-{number}",
            "field_key": f"new_{number}",
            "date": (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat(),
            "timestamp": _instant(number),
            "suspended_from": _instant(2 * number),
            "suspended_until": _instant(2 * number + 1),
        }
        body.update({name: value for name, value in fresh.items() if name in body})
        if collection == "market-listing-suspensions":
            body["listing_id"] = self.listing
        if collection in ("market-listings", "instrument-tag-assignments"):
            made = self.workspace.create("instruments", identifier=f"for-{number}", name="Parent", type_id="equity")
            body["instrument_id"] = made["id"]
        return body

    def change(self, collection: str) -> Body:
        return CHANGES.get(collection, {"name": f"changed {next(_NUMBERS)}"})

    def new(self, collection: str) -> dict[str, str]:
        return {"id": self.workspace.create(collection, **self.body(collection))["id"]}

    def archived(self, collection: str) -> dict[str, str]:
        place = self.new(collection)
        answered(self.workspace.admin.delete(f"/{collection}/{place['id']}"), 204)
        return place

    def kept_record(self, collection: str) -> dict[str, str]:
        """The parts of the address of a record that is there and stays."""
        if collection not in self._found:
            self._found[collection] = self.new(collection)
        return self._found[collection]

    def kept(self, kind: str) -> dict[str, str]:
        """The parts of an address of this kind, of something that is there; made when it is first asked for."""
        if kind not in self._found:
            self._found[kind] = PLACES[kind](self)
        return self._found[kind]

    def fresh(self, kind: str) -> dict[str, str]:
        """The parts of an address of this kind, of something that nobody else needs and that took no job."""
        return (_webhook if kind == "webhooks" else PLACES[kind])(self)

    def stock_up(self) -> None:
        for kind in PLACES:
            self.kept(kind)

    @cached_property
    def person(self) -> Body:
        """What somebody signs in with."""
        body = _invitation()
        token = answered(self.workspace.admin.post("/invitations", json=body), 201)["token"]
        accept, accepted = f"{self.workspace.url}/v1/auth/invitations/accept", {"token": token, "password": PASSWORD}
        answered(self.workspace.client(None).post(accept, json=accepted), 200)
        return {"email": body["email"], "password": PASSWORD}

    def signed_in(self) -> Body:
        """The tokens of a session of theirs."""
        return answered(self.workspace.client(None).post(f"{self.workspace.url}/v1/auth/login", json=self.person), 200)


def _invitation() -> Body:
    return {"email": f"{uuid4().hex}@example.com", "role": "viewer"}


def _policy() -> Body:
    return {"name": uuid4().hex, "schedule": "0 2 * * *", "destination": "s3://a-bucket/backups", "keep_last": 1}


def _made(path: str, body: Callable[[], Body]) -> Callable[[Stock], dict[str, str]]:
    return lambda stock: {"id": answered(stock.workspace.admin.post(path, json=body()), 201)["id"]}


def _finished(stock: Stock, path: str, body: Body, *, jobs: str = "") -> Body:
    """The ended job that this asks for."""
    return stock.workspace.finished(jobs or path.strip("/"), answered(stock.workspace.admin.post(path, json=body), 202))


def _robot(stock: Stock) -> dict[str, str]:
    made = answered(stock.workspace.admin.post("/memberships/robots", json={"name": "spare", "role": "viewer"}), 201)
    user = made.get("user_id") or made["id"]
    token = answered(stock.workspace.admin.post(f"/memberships/robots/{user}/tokens", json={}), 201)["id"]
    return {"user_id": user, "token_id": token}


def _membership(stock: Stock) -> dict[str, str]:
    robot = _robot(stock)["user_id"]
    members = answered(stock.workspace.admin.get("/memberships", params={"limit": 200}), 200)["data"]
    return {"id": next(each["id"] for each in members if each["user_id"] == robot)}


def _export(stock: Stock) -> dict[str, str]:
    return {"id": _finished(stock, "/exports", {"resource_type": "instruments"})["id"]}


def _file(stock: Stock) -> dict[str, str]:
    """By the address that is shown for the file of an export."""
    export = answered(stock.workspace.admin.get(f"/exports/{stock.kept('exports')['id']}"), 200)
    return {"signed": export["download_url"].rpartition("/")[2]}


def _import(stock: Stock) -> dict[str, str]:
    asked = {"files": {"file": ("a.csv", b"identifier,name,type_id\n")}, "data": {"resource_type": "instruments"}}
    return {"id": answered(stock.workspace.robot.post("/imports", **asked), 202)["id"]}  # type: ignore[arg-type] # two keywords


def _upload(stock: Stock) -> dict[str, str]:
    return {"id": answered(stock.workspace.robot.post("/uploads", json={}), 201)["id"], "n": "1"}


def _backup(stock: Stock) -> dict[str, str]:
    return {"id": _finished(stock, "/backups", {})["id"]}


def _rehearsal(stock: Stock) -> dict[str, str]:
    asked = {"backup_id": stock.kept("backups")["id"]}
    return {"id": _finished(stock, "/backups/rehearse", asked, jobs="backups/rehearsals")["id"]}


def _restore(stock: Stock) -> dict[str, str]:
    path = f"/backups/{stock.kept('backups')['id']}/restore"
    return {"id": _finished(stock, path, {"slug": f"w-{uuid4().hex}"}, jobs="backups/restores")["id"]}


def _event(stock: Stock) -> dict[str, str]:
    return {"id": answered(stock.workspace.admin.get("/events?limit=1"), 200)["data"][0]["id"]}


def _item(stock: Stock) -> dict[str, str]:
    stock.new("composite-time-series-values")
    found = answered(stock.workspace.admin.get("/composite-time-series-value-items?limit=1"), 200)["data"]
    return {"id": found[0]["id"]}


def _webhook(stock: Stock) -> dict[str, str]:
    # Nobody listens there, so the delivery goes on waiting for its next attempt.
    made = answered(stock.workspace.admin.post("/webhooks", json={"url": "http://127.0.0.1:9/"}), 201)["id"]
    subscribed = stock.workspace.admin.post(f"/webhooks/{made}/subscriptions", json={"event_type": "instrument.*"})
    return {"id": made, "subscription_id": answered(subscribed, 201)["id"]}


def _webhook_with_a_delivery(stock: Stock) -> dict[str, str]:
    made = _webhook(stock)
    stock.new("instruments")

    def logged() -> str | None:
        found = answered(stock.workspace.admin.get(f"/webhooks/{made['id']}/deliveries"), 200)["data"]
        return found[0]["id"] if found else None

    return {**made, "delivery_id": wait_for(logged)}


PLACES: Mapping[str, Callable[[Stock], dict[str, str]]] = {
    "memberships/robots": _robot,
    "memberships": _membership,
    "invitations": _made("/invitations", _invitation),
    "exports": _export,
    "v1/files": _file,
    "imports": _import,
    "uploads": _upload,
    "backups/rehearsals": _rehearsal,
    "backups/restores": _restore,
    "backups": _backup,
    "events": _event,
    "composite-time-series-value-items": _item,
    "webhooks": _webhook_with_a_delivery,
    "backup-policies": _made("/backup-policies", _policy),
}
"""By the beginning of their address within the workspace, the longer before the shorter."""

VALUE = {"instrument_id": "i0", "type_id": "close", "value": "1"}
BAR = {"instrument_id": "i0", "type_id": "bar", "items": BODIES["composite-time-series-values"](0)["items"]}

OTHER_BODIES: Mapping[str, Callable[[Stock], Any]] = {
    "POST /v1/auth/signup": lambda stock: {"email": f"{uuid4().hex}@example.com", "password": PASSWORD},
    "POST /v1/auth/login": lambda stock: stock.person,
    "POST /v1/auth/refresh": lambda stock: {"refresh_token": stock.signed_in()["refresh_token"]},
    "POST /v1/auth/password": lambda stock: {"current_password": PASSWORD, "new_password": PASSWORD},
    "POST /v1/auth/invitations/accept": lambda stock: {
        "token": answered(stock.workspace.admin.post("/invitations", json=_invitation()), 201)["token"],
        "password": PASSWORD,
    },
    "POST /v1/workspaces": lambda stock: {"slug": f"w-{uuid4().hex}"},
    "PATCH W": lambda stock: {"name": f"named {next(_NUMBERS)}"},
    "POST W/memberships/robots": lambda stock: {"name": "another", "role": "viewer"},
    "PATCH W/memberships/robots/{user_id}": lambda stock: {"name": "renamed"},
    "POST W/memberships/robots/{user_id}/tokens": lambda stock: {},
    "PATCH W/memberships/{id}": lambda stock: {"role": "member"},
    "POST W/invitations": lambda stock: _invitation(),
    "POST W/exports": lambda stock: {"resource_type": "instruments"},
    "POST W/uploads": lambda stock: {},
    "POST W/backups": lambda stock: {},
    "POST W/backups/rehearse": lambda stock: {"backup_id": stock.kept("backups")["id"]},
    "POST W/backups/{id}/restore": lambda stock: {"slug": f"w-{uuid4().hex}"},
    "POST W/backup-policies": lambda stock: _policy(),
    "PUT W/instruments/{id}/tags": lambda stock: {"tags": ["growth"]},
    "POST W/time-series-values/batch": lambda stock: {"data": [{**VALUE, "timestamp": _instant(next(_NUMBERS))}]},
    "POST W/composite-time-series-values/batch": lambda stock: {
        "data": [{**BAR, "timestamp": _instant(next(_NUMBERS))}]
    },
    "POST W/markets/{id}/calendar/generate": lambda stock: {"from": "2025-01-01", "to": "2025-01-31", "mic": "XASX"},
    "POST W/webhooks": lambda stock: {"url": f"https://example.com/{uuid4().hex}"},
    "PATCH W/webhooks/{id}": lambda stock: {"description": f"changed {next(_NUMBERS)}"},
    "POST W/webhooks/{id}/redeliver": lambda stock: {"failed_since": "2026-01-01"},
    "POST W/webhooks/{id}/subscriptions": lambda stock: {
        "event_type": f"market.{('created', 'updated')[next(_NUMBERS) % 2]}"
    },
    "PUT W/webhooks/{id}/subscriptions": lambda stock: ["instrument.*"],
}
"""By the operation; what is not here is made from what the OpenAPI document says of the body."""
