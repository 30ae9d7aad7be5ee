"""A database of the module's own, cheap passwords, and an office to try things in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from ptolemy.accounts.passwords import Passwords
from ptolemy.database.pool import Database
from tests.accounts.office import Office, open_office


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url, app_connections=8, owner_connections=1)
    yield opened
    await opened.close()


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
async def office(database: Database, passwords: Passwords) -> Office:
    return await open_office(database, passwords)
