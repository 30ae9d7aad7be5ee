"""Clients for a workspace of the running product, straight and over a line that breaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ptolemy.client import Client, Patience
from tests.product import Workspace
from tests.relay import Relay, relay

BRIEF = Patience(attempts=4, first_wait_seconds=0.01)


@pytest.fixture
def line(product_url: str) -> Iterator[Relay]:
    with relay(product_url) as made:
        yield made


@pytest.fixture
def robot(workspace: Workspace, line: Relay) -> Iterator[Client]:
    """A robot of the role member, over the line."""
    with Client(line.url, workspace.token("member"), workspace.slug, patience=BRIEF) as client:
        yield client


@pytest.fixture
def person(workspace: Workspace, line: Relay) -> Iterator[Client]:
    """An admin, over the line."""
    with Client(line.url, workspace.admin_token, workspace.slug, patience=BRIEF) as client:
        yield client
