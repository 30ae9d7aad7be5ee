from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.access.callers import new_workspace
from tests.faults.ground import Sight, seeing
from tests.serving import configured, serving
from tests.upkeep.keeping import AT_MOST_DAYS, Keeping


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def url(database_url: str, folder: Path) -> Iterator[str]:
    with serving(replace(configured(database_url, folder), events_days=AT_MOST_DAYS)) as address:
        yield address


@pytest.fixture
def sight(database_url: str) -> Iterator[Sight]:
    with seeing(database_url) as opened:
        yield opened


@pytest.fixture
def keeping(url: str, database_url: str, folder: Path, sight: Sight) -> Keeping:
    """A workspace with the schema that most tests need."""
    workspace = new_workspace(url, database_url)
    workspace.equity()
    return Keeping(workspace, folder, sight)
