from __future__ import annotations

import pytest

from tests.product import Workspace
from tests.series.desk import equip


@pytest.fixture
def desk(workspace: Workspace) -> Workspace:
    """A workspace with two instruments, two scalar series, and a composite one."""
    return equip(workspace)
