"""What the product offers: tests of an operation wait for it."""

from __future__ import annotations

import pytest

from ptolemy.app import operations

_IN_WORKSPACE = "/v1/workspaces/{workspace}"
OFFERED = frozenset(
    f"{operation.method} {operation.path.removeprefix(_IN_WORKSPACE) or '/'}" for operation in operations()
)
"""`GET /instruments/{id}` for an operation in a workspace, the whole path for others."""


def offers(operation: str) -> bool:
    return operation in OFFERED


def needs(operation: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not offers(operation), reason=f"there is no {operation}")
