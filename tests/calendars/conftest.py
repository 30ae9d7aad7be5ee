from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.calendars.exchange import Exchange, exchange
from tests.product import Workspace


@pytest.fixture
def new_market(workspace: Workspace) -> Callable[..., Exchange]:
    """Makes markets in one workspace."""
    workspace.equity()
    return lambda *args, **more: exchange(workspace, *args, **more)


@pytest.fixture
def xnys(new_market: Callable[..., Exchange]) -> Exchange:
    return new_market("XNYS", "America/New_York", identifier="xnys")


@pytest.fixture
def xasx(new_market: Callable[..., Exchange]) -> Exchange:
    return new_market("XASX", "Australia/Sydney", identifier="xasx")
