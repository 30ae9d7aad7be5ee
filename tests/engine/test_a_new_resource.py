"""A resource takes one declaration: here is one that the product doesn't have, served beside those that it has.

It is the example of "Add a resource" in CONTRIBUTING.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from ptolemy.catalogue import RESOURCES
from ptolemy.database.security import become_owner, secure
from ptolemy.engine.fields import Date, Identifier, Number, Text
from ptolemy.engine.resource import Lifecycle, Resource, Unique
from ptolemy.engine.tables import create_table
from tests.product import Workspace, answered, problem, refused_fields
from tests.serving import configured, serving, signed_in


class Brokers(Resource):
    """Who buys and sells for others."""

    singular = "broker"
    collection = "brokers"
    lifecycle = Lifecycle(archive=True, hard_delete=True)

    identifier = Identifier(required=True, searched=True)
    name = Text(required=True, searched=True)
    fee = Number()
    member_since = Date()

    unique = [Unique(identifier)]


@pytest.fixture(scope="module")
def product_database_url(database_url: str) -> str:
    async def migrate() -> None:
        driver = await asyncpg.connect(database_url)
        await become_owner(driver)
        for statement in create_table(Brokers):
            await driver.execute(statement)
        await secure(driver)
        await driver.close()

    asyncio.run(migrate())
    return database_url


@pytest.fixture(scope="module")
def product_url(product_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as catalogue:
        catalogue.setattr("ptolemy.app.RESOURCES", (*RESOURCES, Brokers()))
        with serving(configured(product_database_url, tmp_path_factory.mktemp("files"))) as url:
            yield url


@pytest.fixture(scope="module")
def token(product_url: str, product_database_url: str) -> str:
    return signed_in(product_url, product_database_url)


@pytest.fixture
def workspace(product_url: str, token: str) -> Workspace:
    slug, headers = f"w-{uuid4().hex}", {"Authorization": f"Bearer {token}"}
    answered(httpx.post(f"{product_url}/v1/workspaces", json={"slug": slug}, headers=headers), 201)
    return Workspace(product_url, slug, token)


@pytest.fixture
def broker(workspace: Workspace) -> dict[str, Any]:
    return workspace.create("brokers", identifier="acme", name="Acme & Sons", fee="0.050", member_since="2001-02-03")


def test_it_is_created_read_and_listed(workspace: Workspace, broker: dict[str, Any]) -> None:
    assert (broker["fee"], broker["member_since"], broker["archived_at"]) == ("0.050", "2001-02-03", None)
    assert answered(workspace.robot.get("/brokers/acme"), 200) == broker
    assert answered(workspace.robot.get("/brokers"), 200)["data"] == [broker]
    problem(workspace.robot.post("/brokers", json={"identifier": "acme", "name": "Another"}), 409, "duplicate")


def test_it_refuses_bad_values_by_name(workspace: Workspace) -> None:
    body = {"identifier": "a b", "fee": "much", "member_since": "2001-02-30", "colour": "blue"}
    assert refused_fields(workspace.robot.post("/brokers", json=body)) == {
        "identifier": "invalid_identifier",
        "name": "required",
        "fee": "invalid_number",
        "member_since": "invalid_date",
        "colour": "unknown_field",
    }


def test_it_is_filtered_sorted_and_counted(workspace: Workspace, broker: dict[str, Any]) -> None:
    dear = workspace.create("brokers", identifier="dear", name="Dear", fee="9")
    workspace.create("brokers", identifier="free", name="Free")
    above = {"filter": {"field": "fee", "op": "gte", "value": "0.05"}}
    asked = {**above, "sort": [{"field": "fee", "direction": "desc"}]}
    assert answered(workspace.robot.post("/brokers/filter", json=asked), 200)["data"] == [dear, broker]
    assert answered(workspace.robot.post("/brokers/count", json=above), 200)["count"] == 2


def test_it_is_archived_restored_and_deleted_with_an_event_each(
    workspace: Workspace, broker: dict[str, Any], events: Callable[..., list[dict[str, Any]]]
) -> None:
    path = f"/brokers/{broker['id']}"
    answered(workspace.robot.patch(path, json={"fee": "0.1"}), 200)
    answered(workspace.robot.delete(path), 204)
    assert answered(workspace.robot.get("/brokers"), 200)["data"] == []
    answered(workspace.robot.post(f"{path}/restore"), 200)
    answered(workspace.robot.delete(path, params={"hard": "true"}), 204)
    problem(workspace.robot.get(path), 404, "not_found")
    told = [event["event_type"] for event in events(resource_id=broker["id"])]
    assert told == [f"broker.{verb}" for verb in ("created", "updated", "archived", "restored", "deleted")]


def test_it_is_documented(product_url: str) -> None:
    document = httpx.get(f"{product_url}/v1/openapi.json").json()
    assert document["components"]["schemas"]["Broker"]["description"] == Brokers.__doc__
    assert "/v1/workspaces/{workspace}/brokers/{id}/restore" in document["paths"]
