"""Every answer that a test sees is held against the OpenAPI document: what it doesn't say doesn't happen.

Objects are taken as closed: a member that the document doesn't name is a fault, too.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from typing import Any
from urllib.parse import unquote

import httpx
import jsonschema_rs

from tests.product import PATIENCE_SECONDS
from tests.relay import RELAY

PROBLEM = "application/problem+json"
JSON = ("application/json", PROBLEM)
OPENAPI = "/v1/openapi.json"

_ROOT = re.compile(r"^(/v1/workspaces/[^/]+)/$")
"""The workspace itself, for a client that is rooted there."""

Send = Callable[..., httpx.Response]


class Inexact(AssertionError):
    """An answer and the document disagree."""


class Document:
    """A served OpenAPI document with its validators, each compiled when it is first needed."""

    def __init__(self, content: bytes) -> None:
        self._document = json.loads(content)
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> Mapping[str, Any] | None:
        """What the document says of an address; none where there is no such address or it doesn't take the method."""
        for template, segments in self._templates[path.count("/")]:
            found: Mapping[str, Any] | None = self._document["paths"][template].get(method.lower())
            if found and all(_fits(part, sent) for part, sent in zip(segments, path.split("/"), strict=True)):
                return found
        return None

    def faults(self, schema: Mapping[str, Any], body: Any) -> list[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**_closed(schema), "components": self._components}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return [f"{list(fault.instance_path)}: {fault.message}" for fault in self._validators[key].iter_errors(body)]

    @cached_property
    def _components(self) -> dict[str, Any]:
        closed = {name: _closed(schema) for name, schema in self._document["components"]["schemas"].items()}
        return {"schemas": closed}

    @cached_property
    def _templates(self) -> dict[int, list[tuple[str, list[str]]]]:
        """By number of segments; words before variables, as the router tries them."""
        found = defaultdict(list)
        for template in sorted(self._document["paths"], key=lambda path: path.replace("{", "\x7f")):
            found[template.count("/")].append((template, template.split("/")))
        return found


class Judge:
    """Looks at every answer; raises `Inexact` where the document doesn't allow it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._documents: dict[str, Document] = {}

    def look_at(self, client: httpx.Client, response: httpx.Response, *, read: bool) -> None:
        request = response.request
        path = _ROOT.sub(r"\1", unquote(request.url.raw_path.partition(b"?")[0].decode()))
        if not path.startswith("/v1/") or path == OPENAPI or response.headers.get("via") == RELAY:
            return
        found = self._operation(client, request, path)
        if response.status_code >= 400 and read and request.method != "HEAD":
            _is_a_problem(response)
        if found is None:
            _refused_by_the_router(response)
        else:
            document, operation = found
            _is_documented(document, operation, response, read=read)

    def _operation(
        self, client: httpx.Client, request: httpx.Request, path: str
    ) -> tuple[Document, Mapping[str, Any]] | None:
        """One document does for all servers of the product; who serves something else is asked for its own."""
        method = "GET" if request.method == "HEAD" else request.method
        for document in self._documents.values():
            if operation := document.operation(method, path):
                return document, operation
        origin = str(request.url.copy_with(raw_path=b"/"))
        if origin not in self._documents:
            # Made when it is first asked for, which takes its time on a busy machine.
            patient = {"timeout": httpx.Timeout(PATIENCE_SECONDS).as_dict()}
            asking = httpx.Request("GET", request.url.copy_with(raw_path=OPENAPI.encode()), extensions=patient)
            answer = self._send(client, asking)
            self._documents[origin] = Document(answer.raise_for_status().content)
            return self._operation(client, request, path)
        return None


def judge_answers() -> None:
    """From now on every `httpx.Client` of this process is looked over its shoulder."""
    send: Send = httpx.Client.send
    judge = Judge(send)

    @wraps(send)
    def judged(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        response = send(client, request, **options)
        judge.look_at(client, response, read=not options.get("stream", False))
        return response

    httpx.Client.send = judged  # type: ignore[assignment] # `httpx.get` and the like offer no hook


def _fits(part: str, sent: str) -> bool:
    return bool(sent) if part.startswith("{") else part == sent


def _closed(schema: Any) -> Any:
    """Nothing but what is named: the document promises no more, so more is a fault."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    return closed


def _is_documented(document: Document, operation: Mapping[str, Any], response: httpx.Response, *, read: bool) -> None:
    documented = operation["responses"].get(str(response.status_code))
    _claim(documented is not None, response, f"the status is none of {', '.join(operation['responses'])}")
    content = documented.get("content", {})
    if response.request.method == "HEAD" or not content:
        _claim(not read or not response.content, response, "no body is documented")
        return
    kind = _media_type(response)
    _claim(kind in content, response, f"the type {kind!r} is none of {', '.join(content)}")
    schema = content[kind]["schema"]
    if read and kind in JSON and schema.get("format") != "binary":  # a file is what it is
        faults = document.faults(schema, response.json())
        _claim(not faults, response, "; ".join(faults))
    if response.status_code in (201, 202):
        _claim("location" in response.headers, response, "Location is missing")


def _is_a_problem(response: httpx.Response) -> None:
    _claim(_media_type(response) == PROBLEM, response, "a refusal is no problem document")
    body = response.json()
    _claim(body["status"] == response.status_code, response, "the problem has another status")
    told = body["request_id"] == response.headers["x-request-id"]
    _claim(told or "idempotency-replayed" in response.headers, response, "the problem has another request id")
    _claim(body["type"] in ("about:blank", f"urn:ptolemy:problem:{body['code']}"), response, "type and code differ")
    named = [(error["field"], error["code"], error["message"]) for error in body.get("errors", [])]
    _claim(all(map(all, named)), response, "an error names no field, no code or no reason")
    _claim(response.status_code != 422 or bool(named), response, "a 422 names no field")


def _refused_by_the_router(response: httpx.Response) -> None:
    # A 429 to a robot that has no calls left: it counts what nothing answers too.
    _claim(response.status_code in (401, 404, 405, 429), response, "the document knows no such operation")


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip()


def _claim(holds: bool, response: httpx.Response, otherwise: str) -> None:
    if not holds:
        asked = f"{response.request.method} {response.request.url} answered {response.status_code}"
        raise Inexact(f"{asked}, but {otherwise}")
