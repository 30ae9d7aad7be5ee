"""The OpenAPI document is exact: what it doesn't say doesn't happen, whatever is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.schemas import BaseSchema

from ptolemy.api.operations import Operation
from ptolemy.app import operations
from tests.lifecycle.stock import stock
from tests.product import Workspace
from tests.serving import signed_in

load_all_checks()
ALL: list[Any] = CHECKS.get_all()
CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            # A schema can't say which records and versions there are, which cursors were given, what a key takes; nor
            # how often somebody has failed to sign in.
            "positive_data_acceptance": {"expected-statuses": ["2xx", 304, 400, 401, 403, 404, 409, 412, 422, 429]},
            # A stale version or a conflict is told before a bad value.
            "negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 409, 412, 413, 415, 422, 429]},
        }
    }
)
every_operation = pytest.mark.parametrize("operation", operations(), ids=lambda each: f"{each.method} {each.path}")


@pytest.fixture(scope="module")
def tried(new_workspace: Callable[[], Workspace]) -> Workspace:
    """A workspace that has something to find, change and delete."""
    return stock(new_workspace()).workspace


@pytest.fixture(scope="module")
def documented(product_url: str) -> BaseSchema:
    return schemathesis.openapi.from_dict(httpx.get(f"{product_url}/v1/openapi.json").json(), config=CONFIG)


@pytest.fixture
def asking(operation: Operation, tried: Workspace, product_database_url: str) -> Workspace:
    """The same workspace; who signs out, or guesses passwords, does so as somebody else."""
    if operation.path not in ("/v1/auth/logout", "/v1/auth/password"):
        return tried
    return replace(tried, admin_token=signed_in(tried.url, product_database_url))


@every_operation
def test_an_operation_answers_as_documented(operation: Operation, documented: BaseSchema, asking: Workspace) -> None:
    try_out(operation, documented, asking, examples=10)


@pytest.mark.long
@every_operation
def test_an_operation_answers_as_documented_to_much_more(
    operation: Operation, documented: BaseSchema, asking: Workspace
) -> None:
    try_out(operation, documented, asking, examples=500)


def try_out(operation: Operation, documented: BaseSchema, workspace: Workspace, *, examples: int) -> None:
    """Sends what the document allows, and what it forbids."""
    described = documented[operation.path][operation.method]
    # Where nothing but the path can be wrong, there is nothing to forbid.
    modes = list(GenerationMode) if operation.query or operation.body else [GenerationMode.POSITIVE]
    cases = {mode: described.as_strategy(generation_mode=mode) for mode in modes}
    headers = {"Authorization": f"Bearer {workspace.admin_token}"}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def attempt(data: Any) -> None:
        for mode in modes:
            case: Case[Any] = data.draw(cases[mode])
            if mode is GenerationMode.NEGATIVE and not operation.body and is_fine_as_text(operation, case):
                continue
            in_the_workspace(case, workspace, data)
            case.call_and_validate(base_url=workspace.url, headers=headers, checks=ALL)

    attempt()


def is_fine_as_text(operation: Operation, case: Case[Any]) -> bool:
    """Whether a query that breaks its schema doesn't once it is sent: as text, `true` is a name and `1` a number."""
    if operation.query is None or not case.query:
        return False
    sent = requests.Request("GET", "http://any", params=case.as_transport_kwargs()["params"]).prepare()
    try:
        operation.query.model_validate(dict(parse_qsl(urlsplit(sent.url or "").query, keep_blank_values=True)))
    except ValueError:
        return False
    return True


def in_the_workspace(case: Case[Any], workspace: Workspace, data: Any) -> None:
    """Nobody finds a workspace by chance, and hardly a record."""
    if "workspace" in case.path_parameters:
        case.path_parameters["workspace"] = workspace.slug
    if "id" in case.path_parameters and data.draw(st.booleans()):
        case.path_parameters["id"] = data.draw(st.sampled_from(["bhp.ax", "xasx", "equity", "close", "active"]))


def test_every_reference_of_the_document_leads_somewhere(product_url: str) -> None:
    document = httpx.get(f"{product_url}/v1/openapi.json").json()
    components = document["components"]
    known = {f"#/components/{kind}/{name}" for kind in ("schemas", "headers") for name in components[kind]}
    assert {"#/components/schemas/Problem", "#/components/schemas/FieldError"} <= known
    assert set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document))) <= known


def test_every_refusal_is_documented_as_a_problem(product_url: str) -> None:
    document = httpx.get(f"{product_url}/v1/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            assert "422" in refusals, (method, path)
            for answer in refusals.values():
                assert list(answer.get("content", {"application/problem+json": None})) == ["application/problem+json"]
