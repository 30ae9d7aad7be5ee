from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from tests.plans.desk import Desk
from tests.product import Workspace, answered
from tests.serving import configured, serving, signed_in


@pytest.fixture(scope="module")
def plans_url(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A product of the module's own: its plans are changed as it runs."""
    folder: Path = tmp_path_factory.mktemp("files")
    with serving(configured(database_url, folder)) as url:
        yield url


@pytest.fixture(scope="module")
def new_desk(plans_url: str, database_url: str) -> Callable[[], Desk]:
    token = signed_in(plans_url, database_url)

    def make() -> Desk:
        headers = {"Authorization": f"Bearer {token}"}
        slug = f"w-{uuid4().hex}"
        made = answered(httpx.post(f"{plans_url}/v1/workspaces", json={"slug": slug}, headers=headers), 201)
        return Desk(database_url, Workspace(plans_url, slug, token), UUID(made["id"]))

    return make


@pytest.fixture
def desk(new_desk: Callable[[], Desk]) -> Desk:
    """A new workspace with the schema that most tests need, on a plan without limits."""
    made = new_desk()
    made.workspace.equity()
    return made
