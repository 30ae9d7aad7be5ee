from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from ptolemy.database.pool import Database
from ptolemy.kernel.actors import SYSTEM, Caller
from ptolemy.plans import items
from tests import house
from tests.product import Workspace, answered
from tests.series.desk import equip


@pytest.fixture
def desk(workspace: Workspace) -> Workspace:
    """A workspace with two instruments, two scalar series, and a composite one."""
    return equip(workspace)


@pytest.fixture
def counted_items(workspace: Workspace, product_database_url: str) -> Callable[[], dict[str, int]]:
    """What counts toward the plan's quota now, by kind."""
    workspace_id = UUID(answered(workspace.admin.get("/"), 200)["id"])

    async def read() -> dict[str, int]:
        database = await Database.open(product_database_url, app_connections=1, owner_connections=1)
        try:
            async with database.transaction(Caller(workspace_id, SYSTEM)) as tx:
                return await items.usage(tx)
        finally:
            await database.close()

    return lambda: {kind: number for kind, number in house.finished(read()).items() if number}
