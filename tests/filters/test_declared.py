"""What a declaration may say of filters and lists: operators of its own, and an order of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.engine import read
from ptolemy.engine.cursors import Cursors
from ptolemy.engine.fields import Field
from ptolemy.engine.filters import Condition
from ptolemy.engine.read import Query
from ptolemy.engine.resource import Lifecycle, Resource
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.kernel.identifiers import uuid7
from ptolemy.kernel.problems import BadRequest, Invalid
from ptolemy.kernel.signing import Signer

CURSORS = Cursors(Signer("a secret key that only the tests know", "cursors"))


class Happened(Field[str]):
    """Whether something happened, as a subselect knows."""

    operators = frozenset()
    special_operators = frozenset({"happened", "happened_or_archived"})
    fault = "invalid_text"

    def accept_special(self, op: str, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError("must be text")
        return value

    async def special(
        self, tx: Transaction, op: str, value: Any, *, archived_mentioned: bool
    ) -> tuple[Sql, Sequence[str]]:
        kinds = [value, *([f"{value}.archived"] if archived_mentioned else [])]
        same = "select id from events where workspace_id = ? and event_type = any(?)"
        return Sql.of(f"id in ({same})", tx.workspace_id, kinds), [f"looked for {value}"]


class Events(Resource):
    """Events in the order in which they are fed."""

    singular = "event"
    collection = "events"
    lifecycle = Lifecycle(archive=False, hard_delete=False)
    order = ("epoch", "resource_id", "id")

    happened = Happened()


@pytest.fixture
async def tx(database_url: str) -> AsyncIterator[Transaction]:
    database = await Database.open(database_url, app_connections=1, owner_connections=1)
    async with database.transaction(Caller(uuid4(), SYSTEM)) as transaction:
        yield transaction
    await database.close()


async def happen(tx: Transaction, event_type: str, epoch: int, resource_id: UUID) -> None:
    await tx.run(
        Sql.of(
            "insert into events (workspace_id, id, epoch, event_type, resource_type, resource_id, changes, actor_type,"
            " actor_name) values (?, ?, ?, ?, 'thing', ?, '{}', 'system', 'test')",
            tx.workspace_id,
            uuid7(),
            epoch,
            event_type,
            resource_id,
        )
    )


def filtered(**condition: Any) -> Query:
    return Query(filter=Condition.model_validate(condition))


async def test_a_kind_of_field_brings_operators_of_its_own(tx: Transaction) -> None:
    for kind in ("made", "made.archived", "moved"):
        await happen(tx, kind, 1, uuid4())
    number, warnings = await read.count(tx, Events, filtered(field="happened", op="happened", value="made"))
    assert (number, warnings) == (1, ["looked for made"])


async def test_a_special_operator_checks_its_value_and_refuses_null(tx: Transaction) -> None:
    for value, code in ((5, "invalid_text"), (None, "required")):
        with pytest.raises(Invalid) as refused:
            await read.count(tx, Events, filtered(field="happened", op="happened", value=value))
        assert [(error.field, error.code) for error in refused.value.errors] == [("filter.value", code)]


async def test_a_field_offers_no_operator_that_it_lacks(tx: Transaction) -> None:
    with pytest.raises(Invalid) as refused:
        await read.count(tx, Events, filtered(field="happened", op="eq", value="made"))
    assert [(error.field, error.code) for error in refused.value.errors] == [("filter.op", "unknown_op")]


async def test_a_list_comes_in_the_declared_order_and_goes_on_there(tx: Transaction) -> None:
    first, second = sorted((uuid4(), uuid4()))
    for epoch, resource in ((2, first), (1, second), (2, second), (1, first), (1, first)):
        await happen(tx, "made", epoch, resource)
    found: list[tuple[int, UUID]] = []
    after: str | None = None
    while True:
        page = await read.page(tx, Events, Query(limit=2, after=after), CURSORS)
        found += [(row["epoch"], row["resource_id"]) for row in page.rows]
        after = page.next_cursor
        if after is None:
            break
    assert found == [(1, first), (1, first), (1, second), (2, first), (2, second)]


async def test_a_cursor_holds_for_its_own_list_alone(tx: Transaction) -> None:
    for _ in range(3):
        await happen(tx, "made", 1, uuid4())
    cursor = (await read.page(tx, Events, Query(limit=1), CURSORS)).next_cursor
    with pytest.raises(BadRequest):
        await read.page(tx, Events, Query(limit=1, after=cursor, sort=[("created_at", "asc")]), CURSORS)
