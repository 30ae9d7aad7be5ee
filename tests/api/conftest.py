from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lifecycle.stock import Stock, stock
from tests.product import Workspace


@pytest.fixture(scope="module")
def shop(new_workspace: Callable[[], Workspace]) -> Stock:
    """A workspace for a whole module: what is tried in it is refused."""
    made = stock(new_workspace())
    made.workspace.create("instruments", identifier="free", name="Free", type_id="equity")
    for key, data_type in (("ipo", "date"), ("liquid", "boolean")):
        made.workspace.create("instrument-type-fields", type_id="equity", field_key=key, data_type=data_type)
    return made
