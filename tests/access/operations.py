"""The operations of the served OpenAPI document, and requests for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from random import randrange
from typing import Any
from uuid import uuid4

import httpx

from ptolemy.catalogue import RESOURCES
from tests.access.callers import Caller
from tests.access.places import OTHER_BODIES, PLACES, Stock

BASE = "/v1/workspaces/{workspace}"
COLLECTIONS = frozenset(resource.collection for resource in RESOURCES)
METHODS = ("get", "head", "post", "put", "patch", "delete")
LAST = ("DELETE W/memberships/me", "POST /v1/auth/logout")
"""What ends the caller's own access, the gentler one first."""
ASKED = {"instrument_id": "i0", "type_id": "close", "from": "2025-01-01", "to": "2025-01-31", "confirm": "another"}
"""What stands for a query parameter that is required."""


@dataclass(frozen=True, eq=False)
class Documented:
    """One operation as the document has it."""

    method: str
    path: str
    content: Mapping[str, Any]
    required: tuple[str, ...]
    """The query parameters that it can't do without."""
    parameters: tuple[str, ...]
    """All its query parameters."""
    components: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path.replace(BASE, 'W')}"

    @property
    def in_workspace(self) -> bool:
        return self.path.startswith(BASE)

    @property
    def names_a_record(self) -> bool:
        return self.in_workspace and "{" in self.path.removeprefix(BASE)

    @property
    def collection(self) -> str:
        return self.path.removeprefix(BASE).strip("/").partition("/")[0] if self.in_workspace else ""

    @property
    def kind(self) -> str | None:
        """What its address names: a resource's collection, or one of `PLACES`."""
        below = self.path.removeprefix(BASE).strip("/")
        if self.collection in COLLECTIONS and "{id}" in below:
            return self.collection
        return next((kind for kind in PLACES if below.startswith(f"{kind}/{{")), None)


def documented(url: str) -> Sequence[Documented]:
    """All of them, those last that end the caller's own access."""
    document = httpx.get(f"{url}/v1/openapi.json", timeout=60).json()
    found = [
        Documented(
            method.upper(),
            path,
            said.get("requestBody", {}).get("content", {}),
            tuple(each["name"] for each in _query(said) if each["required"]),
            tuple(each["name"] for each in _query(said)),
            document["components"],
        )
        for path, methods in document["paths"].items()
        for method, said in methods.items()
        if method in METHODS
    ]
    return sorted(found, key=lambda each: LAST.index(str(each)) if str(each) in LAST else -1)


def _query(said: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [each for each in said.get("parameters", ()) if each["in"] == "query"]


def request(operation: Documented, place: Stock, parts: Mapping[str, str], stock: Stock) -> dict[str, Any]:
    """What `httpx.Client.request` takes: in the workspace of `place`, with a body made of what is in `stock`."""
    path = operation.path.replace("{workspace}", place.workspace.slug)
    for name, value in parts.items():
        path = path.replace(f"{{{name}}}", value)
    path = path.replace("{id}", str(uuid4()))
    asked: dict[str, Any] = {"method": operation.method, "url": place.workspace.url + path}
    if operation.path.startswith("/v1/auth/"):
        # Who makes many accounts from one address is slowed: each request has an address of its own.
        asked["headers"] = {"X-Forwarded-For": str(IPv4Address(randrange(1 << 24, 1 << 30)))}
    if operation.required:
        asked["params"] = {name: ASKED[name] for name in operation.required}
    if "application/json" in operation.content:
        asked["json"] = _body(operation, stock)
    elif "multipart/form-data" in operation.content:
        asked["files"] = {"file": ("a.csv", b"identifier,name,type_id\n")}
        asked["data"] = {"resource_type": "instruments"}
    elif operation.content:
        asked["content"] = b"part"
    return asked


def new_place(operation: Documented, stock: Stock, caller: Caller) -> Mapping[str, str]:
    """The parts of the operation's address: something that nobody else needs where it may be removed."""
    if operation.path.startswith("/v1/auth/sessions/{"):
        return {"id": caller.another_session(stock.workspace.url)}
    if operation.kind is None:
        return {}
    of_resource = operation.kind in COLLECTIONS and operation.kind not in PLACES
    if operation.method == "DELETE":
        return stock.new(operation.kind) if of_resource else stock.fresh(operation.kind)
    if of_resource and operation.path.endswith("/restore"):
        return stock.archived(operation.kind)
    return kept_place(operation, stock)


def kept_place(operation: Documented, stock: Stock) -> Mapping[str, str]:
    """The parts of the operation's address: of something that is there and stays."""
    if operation.kind is None:
        return {}
    if operation.kind in PLACES:
        return stock.kept(operation.kind)
    return stock.kept_record(operation.kind)


def _body(operation: Documented, stock: Stock) -> Any:
    if (maker := OTHER_BODIES.get(str(operation))) is not None:
        return maker(stock)
    below = operation.path.removeprefix(BASE).strip("/").split("/")
    if operation.collection in COLLECTIONS and operation.collection not in PLACES:
        if operation.method == "POST" and len(below) == 1:
            return stock.body(operation.collection)
        if operation.method == "PATCH":
            return stock.change(operation.collection)
    return example(operation.content["application/json"]["schema"], operation.components)


def example(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:
    """The least that the schema asks for."""
    if "$ref" in schema:
        return example(components["schemas"][schema["$ref"].rpartition("/")[2]], components)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example(schema[choice][0], components)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        required = schema.get("required", [])
        return {name: example(schema.get("properties", {}).get(name, {}), components) for name in required}
    if schema.get("format") == "uuid":
        return str(uuid4())
    plain: dict[str, Any] = {"array": [], "boolean": True, "integer": 1, "number": 1, "null": None}
    return plain.get(kind, "x")
