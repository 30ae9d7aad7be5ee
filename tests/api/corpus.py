"""Malformed requests to every operation, made from the declarations: a new resource has its own by being declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ptolemy.api.operations import Operation
from ptolemy.app import operations
from ptolemy.engine.fields import Field, Json
from ptolemy.engine.resource import Resource, columns
from tests.api.bad import NOT_IDENTIFIERS, NOT_INSTANTS, NOT_NUMBERS, UNKNOWN_ID, Bad

IN_WORKSPACE = "/v1/workspaces/{workspace}"
_JSON = {"content-type": "application/json"}
_NOT_JSON = (b"", b"{", b'{"a": NaN}', b'{"a": "\\ud800"}', b"\xff\xfe", b"[" * 50_000, b'{"a":' * 5_000, b"{} {}")
_WRONG_SHAPES: tuple[Any, ...] = ([], {"a": 1}, [[["x"]]], "\0")
"""Not a value of any kind but JSON."""
_WRONG_OBJECTS: tuple[Any, ...] = ([], "x", 5, True, "\0")
_BY_FAULT: dict[str, tuple[Any, ...]] = {
    "invalid_text": (5, True, 1.5, "a\0b"),
    "invalid_identifier": (5, True, *NOT_IDENTIFIERS, UNKNOWN_ID),
    "invalid_number": (True, *NOT_NUMBERS, 10**100),
    "invalid_integer": ("1", 1.5, True, 2**53, -(2**63)),
    "invalid_boolean": ("yes", "TRUE", "", 1, 0),
    "invalid_date": ("2030-02-30", "15/04/2026", "2026-04-15T00:00:00Z", "", 20260415, "\uff12030-01-01"),
    "invalid_timestamp": NOT_INSTANTS,
    "invalid_reference": (5, True, "", "a b", "a,b", "x" * 1001, "\ud7ff\u0000"),
    "invalid_id": (5, "", "x", UNKNOWN_ID[:-1], f"{UNKNOWN_ID}0"),
    "invalid_json": _WRONG_OBJECTS,
    "invalid_field_values": _WRONG_OBJECTS,
    "invalid_items": ({}, "x", 5, [1], [{}], [[]]),
    "invalid_currency": ("aud", "AUDX", "", 5, "\uff21\uff35\uff24"),
    "invalid_mic": ("xasx", "XAS", "XASXX", "", 5),
    "invalid_timezone": ("Mars/Base", "", 5, "../../etc/passwd"),
    "invalid_field_key": ("1a", "a b", "ключ", "", "x" * 64, 5),
    "invalid_time": ("25:00", "9:30", "", 5, "10:00:00Z", "noon"),
}


def bad_values_of(field: Field[Any]) -> list[Any]:
    shapes = _WRONG_OBJECTS if "object" in str(field.sent.get("type")) else _WRONG_SHAPES
    fitting = [shape for shape in shapes if not (field.sent.get("type") == "array" and isinstance(shape, list))]
    by_fault = _BY_FAULT.get(field.fault, ())
    if "number" in field.sent.get("type", ""):  # text that takes numbers and booleans for what they are in JSON
        by_fault = tuple(value for value in by_fault if isinstance(value, str))
    return [*fitting, *by_fault]


def bad_bodies(resource: Resource, body: dict[str, Any], existing: str) -> Iterator[Bad]:
    """Every field that can be sent with each bad value, in a creation and in a change."""
    path = f"/{resource.collection}"
    for name, field in resource.fields.items():
        if field.derived:
            yield Bad(422, name, path, {**body, name: "x"})
            continue
        for value in [*bad_values_of(field), *([None] if field.required else [])]:
            yield Bad(422, name, path, {**body, name: value})
            yield Bad(422, name, f"{path}/{existing}", {name: value}, method="PATCH")
        if field.required and field.default is None:
            yield Bad(422, name, path, {key: value for key, value in body.items() if key != name})
    for name in ("id", "created_at", "archived_at", "workspace_id", "__proto__", "\U0001f600"):
        yield Bad(422, name, path, {**body, name: "x"})


def bad_filters(resource: Resource) -> Iterator[Bad]:
    """Every field in a filter with values that are none of its kind, and operators that it hasn't."""
    for path in (f"/{resource.collection}/filter", f"/{resource.collection}/count"):
        for name, field in columns(type(resource)).items():
            if not field.operators:
                yield _filtered(path, "filter.", name, "eq", "x")  # none to filter by, or by operators of its own
                continue
            yield _filtered(path, "filter.op", name, "~", "x")
            if "eq" not in field.operators or isinstance(field, Json):
                continue
            wrong: tuple[Any, ...] = ([], {"a": 1}, "\0")
            for value in wrong:
                yield _filtered(path, "filter.value", name, "eq", value)
            yield _filtered(path, "filter.value", name, "in", "x")
            yield _filtered(path, "filter.value", name, "is_null", "maybe")
        yield _filtered(path, "filter.field", "nope", "eq", 1)
        yield _filtered(path, "filter.field", "workspace_id", "eq", UNKNOWN_ID)
    sort = [{"field": "id", "direction": "sideways"}]
    yield Bad(422, "sort.0.direction", f"/{resource.collection}/filter", {"sort": sort})
    yield Bad(422, "sort.0.field", f"/{resource.collection}/filter", {"sort": [{"field": "nope"}]})


def _filtered(path: str, names: str, field: str, op: str, value: Any) -> Bad:
    return Bad(422, names, path, {"filter": {"field": field, "op": op, "value": value}})


def bad_requests() -> Iterator[Bad]:
    """What every operation in a workspace refuses, whatever it is for: queries, keys, cursors, bodies, their types."""
    for operation in operations():
        if operation.path.startswith(IN_WORKSPACE):
            yield from _bad_queries(operation)
            if operation.body:
                yield from _bad_json(operation)
            if operation.path.endswith("/{id}") and operation.find:
                yield from _bad_keys(operation)


def _bad_queries(operation: Operation) -> Iterator[Bad]:
    path, method = _address(operation), operation.method
    if "{" in path:
        return  # that there is no such record is told first
    if operation.body or method == "GET":
        sent = {"content": b"{}", "headers": _JSON} if operation.body else {}
        for query, names in (("nope=1", "nope"), ("%F0%9F%98%80=1", "\U0001f600"), ("nope=1&nope=2", "nope")):
            yield Bad(422, names, f"{path}?{query}", method=method, **sent)  # type: ignore[arg-type] # by name
    fields = operation.query.model_fields if operation.query else {}
    if "limit" in fields:
        for word in ("0", "-1", "x", "1.5", "", "%00", "9" * 400 + "x"):
            yield Bad(422, "limit", f"{path}?limit={word}", method=method)
    if "after" in fields:
        for word in ("x", "%00", "%ff", "A" * 300, "e30"):
            yield Bad(400, "invalid_cursor", f"{path}?after={word}", method=method)


def _bad_json(operation: Operation) -> Iterator[Bad]:
    path = _address(operation)
    if "{" in path:
        return
    for content in _NOT_JSON:
        yield Bad(400, "malformed_json", path, method=operation.method, content=content, headers=_JSON)
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        yield Bad(415, "", path, method=operation.method, content=b"{}", headers={"content-type": kind})
    for content in (b"null", b"5", b'"x"', b"true"):
        yield Bad(422, "body", path, method=operation.method, content=content, headers=_JSON)
    unknown = b'{"\xf0\x9f\x98\x80": 1e400}'
    yield Bad(422, "\U0001f600", path, method=operation.method, content=unknown, headers=_JSON)


def _bad_keys(operation: Operation) -> Iterator[Bad]:
    for key in ("%00", "%ff", "a%20b", "x" * 3000, UNKNOWN_ID, "%27%20or%201=1--", "%E2%80%8B"):
        sent = {"content": b"{}", "headers": _JSON} if operation.body else {}
        yield Bad(404, "not_found", _address(operation).replace("{id}", key), method=operation.method, **sent)  # type: ignore[arg-type] # by name


def _address(operation: Operation) -> str:
    return operation.path.removeprefix(IN_WORKSPACE) or "/"
