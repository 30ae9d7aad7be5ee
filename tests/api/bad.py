"""Requests that must be refused, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.lifecycle.stock import KEYS


@dataclass(frozen=True)
class Bad:
    """A request, the status of its refusal, and what the refusal must name: a bad field of a 422, else the code."""

    status: int
    names: str
    path: str
    json: Any = None
    method: str = "POST"
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        sent = self.content if self.content is not None else self.json
        return f"{self.method} {self.path[:60]} {str(sent)[:60]}"


def bad_values(path: str, body: dict[str, Any], name: str, *values: Any, names: str | None = None) -> list[Bad]:
    """The body with each of the values in turn, which are all refused by the name of their field."""
    return [Bad(422, names or name, path, {**body, name: value}) for value in values]


UNKNOWN_ID = "0190aaaa-0000-7000-8000-00000000abcd"
ITEMS = [{"field_key": key, "value": "1"} for key in KEYS]
INSTRUMENT = {"identifier": "new", "name": "New", "type_id": "equity"}
MARKET = {"identifier": "new", "name": "New", "type_id": "exchange"}
LISTING = {"instrument_id": "free", "market_id": "xasx"}
SUSPENSION = {"listing_id": UNKNOWN_ID, "suspended_from": "2030-01-01"}
VALUE = {"instrument_id": "free", "type_id": "close", "timestamp": "2030-01-01", "value": "1"}
BAR = {"instrument_id": "free", "type_id": "bar", "timestamp": "2030-01-01", "items": ITEMS}
TYPE_FIELD = {"type_id": "equity", "field_key": "new", "data_type": "text"}
NESTED: dict[str, Any] = {}
for _ in range(60):
    NESTED = {"deeper": NESTED}

NOT_TEXT: tuple[Any, ...] = (5, 1.5, True, [], {}, ["a"])
NOT_IDENTIFIERS = ("", " ", "a b", "a/b", "a,b", "a?b", "a#b", "a%b", "a\\b", "a\tb", "a\0b", "a\u200b", "x" * 256)
NOT_NUMBERS = ("", "abc", "NaN", "-Infinity", "inf", "1,5", "0x10", "1_000", " 1", "1 ", "\uff11", "1e5000", "1e-101")
NOT_ITEMS: tuple[Any, ...] = (None, *NOT_NUMBERS, [], {}, True)
NOT_INSTANTS = (
    "yesterday",
    "now",
    "infinity",
    "2030-01-01T09:30:00",
    "2030-01-01T25:00:00Z",
    "2030-02-30",
    "2030-1-1",
    "01/02/2030",
    "10000-01-01",
    "0000-01-01",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "2030-01-01T00:00:00.1234567Z",
    "2030-01-01T00:00:00+99:99",
    1_900_000_000,
)

NOT_CUSTOM_VALUES: dict[str, tuple[Any, ...]] = {
    "nope": (1,),
    "": (1,),
    "a\0b": (1,),
    "shares": (*NOT_NUMBERS, True, [], {}, 10**100),
    "sector": ("a\0b", "x" * 10_001, *NOT_TEXT),
    "ipo": ("2030-02-30", "15/04/2026", "2026-04-15T00:00:00Z", "", 20260415, True, []),
    "liquid": ("yes", "TRUE", "", 1, 0, [], {}),
}

BAD_RECORDS: list[Bad] = [
    *bad_values("/instruments", INSTRUMENT, "identifier", None, UNKNOWN_ID, *NOT_TEXT, *NOT_IDENTIFIERS),
    *bad_values("/instruments", INSTRUMENT, "name", None, "a\0b", "x" * 1001, *NOT_TEXT),
    *bad_values("/instruments", INSTRUMENT, "type_id", None, "nope", UNKNOWN_ID, "a b", "", "a\0", *NOT_TEXT),
    *bad_values("/instruments", INSTRUMENT, "field_values", [], "x", 5, True),
    *(
        Bad(422, f"field_values.{key}", "/instruments", {**INSTRUMENT, "field_values": {key: custom}})
        for key, values in NOT_CUSTOM_VALUES.items()
        for custom in values
    ),
    *bad_values("/instruments", INSTRUMENT, "extras", [], "x", 5, NESTED, {"a": "\0"}, {"a\0": 1}, {"a": "x" * 10**6}),
    *(
        Bad(422, name, "/instruments", {**INSTRUMENT, name: "x"})
        for name in ("colour", "id", "created_at", "archived_at", "workspace_id", "__class__", "Identifier")
    ),
    Bad(422, "body", "/instruments", {**INSTRUMENT, "": "x"}),
    *bad_values("/markets", MARKET, "timezone", "Mars/Base", "", "australia/sydney", 5, "../../etc/passwd"),
    *bad_values("/markets", MARKET, "mic", "XAS", "xasx", "XASXX", "XAS\n", "\uff38\uff21\uff33\uff38", "", 5),
    *bad_values("/market-listings", LISTING, "currency", "aud", "AUDX", "\uff21\uff35\uff24", "", "AU\0", 5),
    *bad_values("/market-listings", LISTING, "lot_size", "0", -1, *NOT_NUMBERS),
    *bad_values("/market-listings", LISTING, "listed_on", "2030-13-01", "tomorrow", "2030-01-01T00:00:00Z", 5),
    *bad_values("/market-listings", {**LISTING, "listed_on": "2030-01-02"}, "delisted_on", "2030-01-01"),
    *bad_values("/market-listings", LISTING, "status_id", "nope", UNKNOWN_ID, 5),
    *bad_values("/market-listings", LISTING, "market_id", None, [], "nope", "free"),
    *bad_values("/market-listing-suspensions", SUSPENSION, "suspended_from", None, *NOT_INSTANTS),
    *bad_values("/market-listing-suspensions", SUSPENSION, "suspended_until", *NOT_INSTANTS),
    *bad_values("/market-listing-suspensions", SUSPENSION, "listing_id", UNKNOWN_ID, "bhp.ax", "", 5),
    *bad_values("/market-listing-suspensions", SUSPENSION, "reason", "a\0", "x" * 10_001, 5),
    *bad_values("/time-series-values", VALUE, "value", None, *NOT_NUMBERS, "9" * 100_000, 10**100, True, [], {}),
    *bad_values("/time-series-values", VALUE, "timestamp", None, *NOT_INSTANTS),
    *bad_values("/time-series-values", VALUE, "type_id", "bar", "nope", None),
    *bad_values("/time-series-values", VALUE, "instrument_id", "nope", UNKNOWN_ID, "xasx", None),
    *bad_values(
        "/composite-time-series-values",
        BAR,
        "items",
        {},
        "x",
        [1],
        [{}],
        [{"field_key": "open"}],
        [{"field_key": 5, "value": 1}],
        [{"field_key": "open", "value": 1, "note": 1}],
        [*ITEMS, ITEMS[0]],
    ),
    *bad_values("/composite-time-series-values", BAR, "items", [], ITEMS[1:], names="items.open"),
    *bad_values(
        "/composite-time-series-values",
        BAR,
        "items",
        *([{"field_key": "open", "value": value}, *ITEMS[1:]] for value in NOT_ITEMS),
        names="items.open",
    ),
    *bad_values(
        "/composite-time-series-values", BAR, "items", [*ITEMS, {"field_key": "x", "value": 1}], names="items.x"
    ),
    *bad_values("/composite-time-series-values", BAR, "type_id", "close"),
    *bad_values("/instrument-type-fields", TYPE_FIELD, "field_key", "1a", "a b", "a.b", "ключ", "", "x" * 64, 5),
    *bad_values("/instrument-type-fields", TYPE_FIELD, "data_type", "money", "", None, 5, []),
    *bad_values("/instrument-type-fields", TYPE_FIELD, "display_order", "1", 1.5, 2**53, -(2**63), True, None),
    *bad_values("/instrument-type-fields", TYPE_FIELD, "is_required", "yes", 1, None, []),
    *bad_values("/instrument-type-fields", TYPE_FIELD, "default_value", "x", names="has_default"),
    *(
        Bad(
            422,
            "default_value",
            "/instrument-type-fields",
            {**TYPE_FIELD, "data_type": data_type, "has_default": True, "default_value": value},
        )
        for data_type, value in (("number", "x"), ("date", "2030-02-30"), ("boolean", "yes"), ("text", "a\0"))
    ),
    *bad_values("/series", {"identifier": "new"}, "kind", "vector", "", None, 5),
]
"""Bad values of every kind of field."""

_CONDITION = {"field": "name", "op": "eq", "value": "x"}
_DEEP: dict[str, Any] = _CONDITION
for _ in range(11):
    _DEEP = {"and": [_DEEP]}


def _condition(names: str, **parts: Any) -> Bad:
    return Bad(422, names, "/instruments/filter", {"filter": parts})


BAD_FILTERS: list[Bad] = [
    *bad_values("/instruments/filter", {}, "filter", [], "x", 5, {}),
    _condition("filter.field", field="nope", op="eq", value=1),
    _condition("filter.field", field="workspace_id", op="eq", value=UNKNOWN_ID),
    _condition("filter.field", field="name; drop table instruments", op="eq", value=1),
    _condition("filter.field", field="", op="eq", value=1),
    _condition("filter.field", field=5, op="eq", value=1),
    _condition("filter.op", field="name", op="=", value="x"),
    _condition("filter.op", field="name", value="x"),
    _condition("filter.op", field="type_id", op="like", value="x"),
    _condition("filter.op", field="extras", op="eq", value={}),
    _condition("filter.value", field="name", op="eq"),
    _condition("filter.value", field="name", op="gt", value=None),
    _condition("filter.value", field="name", op="eq", value=5),
    _condition("filter.value", field="name", op="eq", value="a\0b"),
    _condition("filter.value", field="name", op="like", value="a\0b"),
    _condition("filter.value", field="name", op="like", value=5),
    _condition("filter.value", field="name", op="in", value="x"),
    _condition("filter.value", field="name", op="in", value=["x", 5]),
    _condition("filter.value", field="name", op="not_in", value=["x"] * 1001),
    _condition("filter.value", field="name", op="is_null", value="maybe"),
    _condition("filter.value", field="created_at", op="lt", value="yesterday"),
    _condition("filter.value", field="id", op="eq", value="bhp.ax"),
    _condition("filter.value", field="type_id", op="eq", value="a b"),
    _condition("filter.and", **{"and": {}}),
    _condition("filter.and.0", **{"and": [5]}),
    _condition("filter.or.0", **{"or": [{}]}),
    _condition("filter.or.1.value", **{"or": [_CONDITION, {**_CONDITION, "value": 5}]}),
    _condition("filter", **_DEEP),
    _condition("filter", **{"and": [{"or": [_CONDITION] * 150}] * 2}),
    _condition("filter.not", **{"not": _CONDITION}),
    *bad_values("/instruments/filter", {}, "sort", "name", {}),
    *bad_values(
        "/instruments/filter", {}, "sort", [{"field": "nope"}], [{"field": "workspace_id"}], names="sort.0.field"
    ),
    *bad_values("/instruments/filter", {}, "sort", [{"field": "extras"}], [{}], [{"field": 5}], names="sort.0.field"),
    *bad_values("/instruments/filter", {}, "sort", [{"field": "name", "direction": "up"}], names="sort.0.direction"),
    *bad_values("/instruments/filter", {}, "limit", 0, -1, "x", 1.5, None, []),
    *bad_values("/instruments/filter", {}, "archived", "maybe", "", 5, None),
    *bad_values("/instruments/filter", {}, "after", 5, []),
    *bad_values("/instruments/filter", {}, "type_id", 5, [], "a b"),
    *bad_values("/instruments/filter", {}, "page", 2),
    *bad_values("/instruments/count", {}, "limit", 5),
    *(
        Bad(400, "invalid_cursor", "/instruments/filter", {"after": cursor})
        for cursor in ("", "x", "A" * 40, "é", "\0", "e30", "=" * 5, "A" * 10_000)
    ),
]


def _get(status: int, names: str, path: str) -> Bad:
    return Bad(status, names, path, method="GET")


BAD_QUERIES: list[Bad] = [
    *(_get(422, "limit", f"/instruments?limit={word}") for word in ("0", "-1", "x", "1.5", "", "1e3", "%00")),
    *(_get(422, "archived", f"/instruments?archived={word}") for word in ("maybe", "", "True", "1")),
    *(_get(422, "type_id", f"/instruments?type_id={word}") for word in ("", "a%20b", "%00", "a%2Fb", "x" * 256)),
    *(_get(400, "invalid_cursor", f"/instruments?after={word}") for word in ("", "x", "%00", "%ff", "AAAA")),
    _get(422, "ids", "/instruments?ids="),
    _get(422, "nope", "/instruments?nope=1"),
    _get(422, "Limit", "/instruments?Limit=5"),
    _get(422, "limit", "/instruments?limit=1&limit=2"),
    _get(422, "type_id", "/instruments?type_id=equity&type_id=fund"),
    _get(422, "archived", "/market-listing-suspensions?archived=true"),
    _get(422, "limit", "/instruments/bhp.ax?limit=1"),
    Bad(422, "force", "/instruments/bhp.ax?force=true", method="DELETE"),
    Bad(422, "hard", "/instruments/bhp.ax?hard=perhaps", method="DELETE"),
    Bad(422, "cascade", "/instruments/bhp.ax?hard=true&cascade=maybe", method="DELETE"),
    Bad(422, "hard", "/instruments/bhp.ax?hard=true&hard=false", method="DELETE"),
    _get(422, "limit", "/exports?limit=0"),
    _get(422, "limit", f"/imports?limit={'9' * 5000}"),
    *(
        _get(404, "not_found", f"/instruments/{key}")
        for key in ("%00", "%ff", "a%20b", "x" * 5000, "%27%20or%201=1--", "..%5c", UNKNOWN_ID, "a%2Fb", "%E2%80%8B")
    ),
    *(_get(404, "not_found", f"/exports/{key}") for key in ("%00", "nope", UNKNOWN_ID)),
    *(_get(404, "not_found", f"/imports/{key}/errors") for key in ("%00", "nope", UNKNOWN_ID)),
    *(_get(404, "not_found", f"/memberships/{key}") for key in ("%00", "nope", UNKNOWN_ID)),
]

_JSON = {"content-type": "application/json"}


def _raw(content: bytes, status: int = 400, names: str = "malformed_json", **headers: str) -> Bad:
    return Bad(status, names, "/instruments", content=content, headers={**_JSON, **headers})


BAD_BODIES: list[Bad] = [
    *(
        _raw(content)
        for content in (
            b"",
            b" ",
            b"{",
            b'{"identifier": "new"',
            b'{"identifier": "new",}',
            b"{'identifier': 'new'}",
            b"identifier=new",
            b"{} {}",
            b"\xff\xfe{\x00}\x00",
            b"\xef\xbb\xbf{}",
            b"\x00",
            b'{"identifier": "\xff"}',
            b'{"identifier": "\xed\xa0\x80"}',
            b'{"identifier": "\\ud800"}',
            b'{"identifier": "\\udc00\\ud800"}',
            b'{"identifier": "\\x41"}',
            b'{"identifier": "a\nb"}',
            b'{"identifier": NaN}',
            b'{"identifier": Infinity}',
            b'{"identifier": 01}',
            b'{"identifier": .5}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"[" * 100_000 + b"]" * 100_000,
            b'{"identifier": ' + b"9" * 100_000 + b"}",
            b"\x1f\x8b\x08\x00",
        )
    ),
    *(_raw(content, 422, "body") for content in (b"null", b"[]", b"5", b'"x"', b"true", b"[{}]")),
    _raw(b'{"identifier": 1e999999}', 422, "identifier"),
    _raw(b'{"extras": {"a": 1e99999}}', 422, "extras"),
    _raw(b'{"extras": {"a": ' + b"9" * 4000 + b"}}", 422, "extras"),
    _raw(
        b'{"field_values": {"shares": 1e400}, "identifier": "n", "name": "n", "type_id": "equity"}',
        422,
        "field_values.shares",
    ),
    *(
        Bad(415, "unsupported_media_type", "/instruments", content=b"{}", headers={"content-type": kind})
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", "", "text/csv")
    ),
    Bad(415, "unsupported_media_type", "/instruments", content=b"{}"),
    _raw(b'{"name": "' + b"x" * 10_000_001 + b'"}', 413, "body_too_large"),
    Bad(400, "malformed_json", "/instruments/filter", content=b'{"filter":' + b'{"and":[' * 100_000, headers=_JSON),
    Bad(
        422,
        "filter",
        "/instruments/filter",
        content=b'{"filter":' + b'{"and":[' * 100 + b'{"field":"name","op":"eq","value":"x"}' + b"]}" * 100 + b"}",
        headers=_JSON,
    ),
    Bad(422, "body", "/instruments/bhp.ax", [], method="PATCH"),
    Bad(400, "malformed_json", "/instruments/bhp.ax", method="PATCH", content=b"", headers=_JSON),
    *(
        Bad(422, name, "/instruments/bhp.ax", {name: value}, method="PATCH")
        for name, value in (("name", None), ("identifier", ""), ("type_id", None), ("id", UNKNOWN_ID), ("extras", []))
    ),
]

_EXPORT = {"resource_type": "instruments"}
BAD_JOBS: list[Bad] = [
    Bad(422, "resource_type", "/exports", {}),
    *bad_values("/exports", {}, "resource_type", "nope", "series", "", None, 5, [], "instruments\0"),
    *bad_values("/exports", _EXPORT, "format", "xml", "", None, 5),
    *bad_values("/exports", _EXPORT, "compression", "zip", "", 5),
    *bad_values("/exports", _EXPORT, "include_archived", "maybe", 2, None, []),
    *bad_values("/exports", _EXPORT, "filter", [], {}, 5),
    *bad_values("/exports", _EXPORT, "filter", {"field": "x", "op": "eq", "value": 1}, names="filter.field"),
    *bad_values("/exports", _EXPORT, "destination", "s3://bucket"),
    *bad_values("/memberships/robots", {"name": "r"}, "role", "admin", "editor", "boss", "", 5, None),
    *bad_values("/invitations", {"email": "new@example.com"}, "role", "boss", "", 5, None),
    *bad_values("/invitations", {}, "email", None, "", "nobody", "a\0b@c", "x" * 255 + "@c", *NOT_TEXT),
    *bad_values("/invitations", {"email": "new@example.com"}, "expires_at", "2099-01-01"),
    *bad_values("/memberships/filter", {}, "role", "boss", 5),
    *bad_values("/memberships/filter", {}, "user_id", "ann", 5),
    *bad_values("/memberships/robots", {}, "name", None, "", " ", "a\0b", "x" * 256, 5),
]

_WORKSPACE = {"slug": "a-new-one"}
_LOGIN = {"email": "ann@example.com", "password": "x"}
BAD_ACCOUNTS: list[Bad] = [
    *bad_values("/v1/workspaces", {}, "slug", None, "", "a", "A B", "ä", "a\0b", "x" * 64, UNKNOWN_ID, *NOT_TEXT),
    *bad_values("/v1/workspaces", _WORKSPACE, "name", "", " ", "a\0b", "x" * 256, *NOT_TEXT),
    *bad_values("/v1/workspaces", _WORKSPACE, "plan", "enterprise"),
    Bad(422, "slug", "/v1/workspaces", {}),
    *bad_values("/v1/auth/login", _LOGIN, "email", None, *NOT_TEXT),
    *bad_values("/v1/auth/login", _LOGIN, "password", None, *NOT_TEXT),
    *bad_values("/v1/auth/login", _LOGIN, "otp", "123456"),
    *(
        Bad(401, "invalid_credentials", "/v1/auth/login", {**_LOGIN, "email": email})
        for email in ("", "a\0b", "nobody", "a@b\0", "x" * 100_000, "é@é", "' or 1=1 --")
    ),
    *(
        Bad(401, "invalid_credentials", "/v1/auth/login", {"email": f"{len(password)}@x", "password": password})
        for password in ("", "a\0b", "x" * 1_000_000, "\U0001f600")
    ),
    *bad_values("/v1/auth/login", _LOGIN, "cookie", None, "true", 1),
    *bad_values("/v1/auth/signup", _LOGIN, "email", None, *NOT_TEXT),
    *bad_values("/v1/auth/signup", _LOGIN, "role", "admin"),
    Bad(403, "signup_closed", "/v1/auth/signup", _LOGIN),
    Bad(403, "cross_site", "/v1/auth/login", {**_LOGIN, "cookie": True}),
    *bad_values("/v1/auth/password", {"current_password": "x"}, "new_password", None, *NOT_TEXT),
    *bad_values("/v1/auth/invitations/accept", {}, "token", None, *NOT_TEXT),
    *bad_values("/v1/auth/invitations/accept", {"token": "x"}, "password", *NOT_TEXT),
    *(
        Bad(404, "unknown_invitation", "/v1/auth/invitations/accept", {"token": token, "password": "x"})
        for token in ("", "a\0b", "x" * 100_000, "é", "pti_" + "0" * 64)
    ),
    *bad_values("/v1/auth/refresh", {}, "refresh_token", None, *NOT_TEXT),
    *(
        Bad(401, "invalid_refresh_token", "/v1/auth/refresh", {"refresh_token": token})
        for token in ("", "a\0b", "x" * 100_000, "é", "pth_" + "0" * 64)
    ),
]
