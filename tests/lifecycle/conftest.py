from __future__ import annotations

import pytest

from tests.lifecycle.stock import Stock, stock
from tests.product import Workspace


@pytest.fixture
def shop(workspace: Workspace) -> Stock:
    return stock(workspace)
