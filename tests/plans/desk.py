"""Workspaces on plans that a test makes up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx

from ptolemy.accounts.workspaces import set_plan
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from ptolemy.database.transaction import Transaction
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.plans import item_quota
from ptolemy.plans.configuration import configure
from ptolemy.plans.plan import Plan
from tests import house
from tests.product import Workspace, answered

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """A workspace, and the operator's hand on its plan."""

    database_url: str
    workspace: Workspace
    id: UUID

    def on(self, plan: Plan, name: str = "starter") -> Desk:
        """Makes `plan` what is called `name`, and puts the workspace on it."""

        async def work(database: Database) -> None:
            await configure(database, {name: plan})

        house.finished(self._with(work))
        self.move_to(name)
        return self

    def move_to(self, name: str) -> None:
        async def work(database: Database) -> None:
            async with database.transaction(Caller(self.id, SYSTEM)) as tx:
                await set_plan(tx, name)
            assert await item_quota.count_up(database, self.id, patience_seconds=60)

        house.finished(self._with(work))

    def within(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """What `work` finds in a transaction of the workspace."""

        async def inside(database: Database) -> T:
            async with database.transaction(Caller(self.id, SYSTEM)) as tx:
                return await work(tx)

        return house.finished(self._with(inside))

    async def _with(self, work: Callable[[Database], Awaitable[T]]) -> T:
        database = await Database.open(self.database_url, app_connections=2, owner_connections=1)
        try:
            return await work(database)
        finally:
            await database.close()

    def counter(self) -> int | None:
        """The exact count that is kept beside the ledger, None where the plan has no limit."""
        statement = Sql.of("select items from item_quotas where workspace_id = ?", self.id)
        found: int | None = self.within(lambda tx: tx.value(statement))
        return found

    def stored_items(self) -> int:
        """What there is, counted row by row."""
        tables = (
            "instruments",
            "markets",
            "market_listings",
            "market_listing_suspensions",
            "market_calendars",
            "time_series_values",
            "composite_time_series_values",
            "composite_time_series_value_items",
        )

        async def work(tx: Transaction) -> int:
            counts = [
                await tx.value(Sql.of(f"select count(*) from {table} where workspace_id = ?", tx.workspace_id))
                for table in tables
            ]
            return sum(counts)

        return self.within(work)

    def plan(self) -> dict[str, Any]:
        return answered(self.workspace.admin.get("/plan"), 200)

    def instrument(self, identifier: str, client: httpx.Client | None = None) -> httpx.Response:
        body = {"identifier": identifier, "name": identifier, "type_id": "equity"}
        return (client or self.workspace.admin).post("/instruments", json=body)

    def instruments(self, *identifiers: str) -> Desk:
        for identifier in identifiers:
            answered(self.instrument(identifier), 201)
        return self
