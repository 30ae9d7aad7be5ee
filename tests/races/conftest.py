from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.crowd import crowd
from tests.lifecycle.stock import Stock, stock
from tests.product import Workspace


@pytest.fixture
def shop(workspace: Workspace) -> Stock:
    return stock(workspace)


@pytest.fixture
def clients(shop: Stock) -> Iterator[list[httpx.Client]]:
    with crowd(shop.workspace) as opened:
        yield opened
