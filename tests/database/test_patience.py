"""Who waits for a connection of the pool is told in time that there is none, and the others go on."""

from __future__ import annotations

import pytest

from ptolemy.database.outage import DatabaseAway, is_away
from ptolemy.database.pool import Database
from ptolemy.database.sql import Sql
from tests import house


def test_a_wait_for_a_connection_that_is_never_free_ends(database_url: str) -> None:
    async def asked() -> None:
        database = await Database.open(database_url, app_connections=1, owner_connections=1, patience_seconds=0.1)
        try:
            async with database.session() as session:
                with pytest.raises(DatabaseAway, match="in time"):
                    await database.row(Sql("select 1"))
                assert await session.value(Sql("select 2")) == 2
            assert await database.row(Sql("select 3"))
        finally:
            await database.close()

    house.finished(asked())


def test_a_wrong_argument_is_no_outage(database_url: str) -> None:
    async def asked() -> None:
        database = await Database.open(database_url, app_connections=1, owner_connections=1)
        try:
            with pytest.raises(Exception, match="expected str") as caught:
                await database.row(Sql.of("select ?::text", 1))
            assert not is_away(caught.value)
        finally:
            await database.close()

    house.finished(asked())
