"""What a list, a filter or a record is asked that it doesn't know: told, never passed over; over every operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import pytest

from ptolemy.app import operations
from tests.access.callers import new_workspace
from tests.access.operations import BASE, Documented, documented, kept_place, request
from tests.access.places import Stock
from tests.product import NO_TLS, PATIENCE_SECONDS, problem, refused_fields

NOTHING_THERE = ("W/backups/restores/{id}", "W/webhooks/{id}/deliveries/{delivery_id}", "/v1/files/{signed}")
"""Addresses that the stock has no record for: that there is none is told first."""
READING = sorted(
    f"{each.method} {each.path.replace(BASE, 'W')}"
    for each in operations()
    if each.method == "GET" or each.path.endswith(("/filter", "/count"))
)
LISTS = [each for each in READING if each.startswith("GET W") and not each.endswith("}")]


@dataclass(frozen=True)
class Desk:
    """A workspace with something at every address, and who asks."""

    stock: Stock
    operations: Mapping[str, Documented]
    parameters: Mapping[str, Sequence[str]]
    client: httpx.Client

    def ask(self, name: str, body: Mapping[str, Any] | None = None, **params: str) -> httpx.Response:
        operation = self.operations[name]
        asked = request(operation, self.stock, kept_place(operation, self.stock), self.stock)
        asked["params"] = {**asked.get("params", {}), **params}
        if body is not None:
            asked["json"] = body
        return self.client.request(**asked)

    @cached_property
    def including(self) -> Sequence[str]:
        """The operations that are documented to take `include` as a parameter."""
        return [name for name, known in self.parameters.items() if "include" in known]


@pytest.fixture(scope="module")
def desk(product_url: str, product_database_url: str) -> Iterator[Desk]:
    stock = Stock(new_workspace(product_url, product_database_url))
    headers = {"Authorization": f"Bearer {stock.workspace.admin_token}"}
    with httpx.Client(headers=headers, timeout=PATIENCE_SECONDS, verify=NO_TLS) as client:
        paths = client.get(f"{product_url}/v1/openapi.json").json()["paths"]
        yield Desk(stock, {str(each): each for each in documented(product_url)}, _parameters(paths), client)


def _parameters(paths: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """Of each operation what its query may hold."""
    return {
        f"{method.upper()} {path.replace(BASE, 'W')}": [
            each["name"] for each in said.get("parameters", ()) if each["in"] == "query"
        ]
        for path, methods in paths.items()
        for method, said in methods.items()
    }


@pytest.mark.parametrize("name", READING)
def test_a_parameter_that_is_unknown_is_refused_by_name(desk: Desk, name: str) -> None:
    for unknown in ("nope", "sort", "filter"):
        answer = desk.ask(name, None, **{unknown: "name"})
        if name.endswith(NOTHING_THERE):
            assert answer.status_code in (403, 404, 422), answer.text
        else:
            assert refused_fields(answer) == {unknown: "unknown_field"}


@pytest.mark.parametrize("name", READING)
def test_an_include_that_is_unknown_is_refused_with_those_that_are_known(desk: Desk, name: str) -> None:
    for unknown in ("nope", "", "nope.nope", "id"):
        answer = desk.ask(name, include=unknown)
        if name in desk.including:
            assert repr(unknown.partition(".")[0]) in problem(answer, 400, "unknown_include")["detail"]
        elif not name.endswith(NOTHING_THERE):
            assert refused_fields(answer) == {"include": "unknown_field"}


@pytest.mark.parametrize("name", LISTS)
def test_every_page_has_its_cursor_and_its_limit_looked_at(desk: Desk, name: str) -> None:
    known = desk.parameters[name]
    if "after" in known:
        problem(desk.ask(name, after="nope"), 400, "invalid_cursor")
        assert refused_fields(desk.ask(name, limit="0")).keys() == {"limit"}
        assert refused_fields(desk.ask(name, limit="x")).keys() == {"limit"}
    if "ids" in known:
        assert refused_fields(desk.ask(name, ids="")).keys() == {"ids"}


@pytest.mark.parametrize("name", [each for each in READING if each.startswith("POST")])
def test_what_the_body_of_a_filter_asks_that_is_unknown_is_refused(desk: Desk, name: str) -> None:
    body: dict[str, Any]
    for body, field in (
        ({"nope": 1}, "nope"),
        ({"filter": {"field": "nope", "op": "eq", "value": 1}}, "filter.field"),
        ({"filter": {"field": "created_at", "op": "nope", "value": 1}}, "filter.op"),
        ({"filter": {"field": "created_at", "op": "eq", "value": None, "nope": 1}}, "filter.nope"),
    ):
        assert list(refused_fields(desk.ask(name, body))) == [field], body
    if name.endswith("/filter"):
        problem(desk.ask(name, {"include": ["nope"]}), 400, "unknown_include")
        problem(desk.ask(name, {"after": "nope"}), 400, "invalid_cursor")
        for body, field in (
            ({"sort": [{"field": "nope"}]}, "sort.0.field"),
            ({"sort": [{"field": "id", "direction": "nope"}]}, "sort.0.direction"),
            ({"sort": "id"}, "sort"),
            ({"limit": 0}, "limit"),
        ):
            assert list(refused_fields(desk.ask(name, body))) == [field], body
