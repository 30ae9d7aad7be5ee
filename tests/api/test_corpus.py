"""Every operation refuses what is malformed with a 4xx that names field and reason, and keeps nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ptolemy.catalogue import RESOURCES
from ptolemy.engine.resource import Resource
from tests.api import bad
from tests.api.bad import UNKNOWN_ID, Bad
from tests.api.corpus import bad_bodies, bad_filters, bad_requests
from tests.engine.test_every_resource import BODIES, Records, every_resource
from tests.lifecycle.stock import stock
from tests.product import Workspace, answered


def mistaken(workspace: Workspace, requests: Iterable[Bad]) -> list[str]:
    """The requests that were not refused as they should be."""
    found = []
    for each in requests:
        sent = {"content": each.content} if each.content is not None else {"json": each.json} if each.json else {}
        response = workspace.admin.request(each.method, each.path, headers=each.headers, **sent)
        body = response.json() if response.content else {}
        named = [error["field"] for error in body.get("errors", ())] if each.status == 422 else [body.get("code", "")]
        # An item of a list or an object may be named behind its field.
        if response.status_code != each.status or not any(name.startswith(each.names) for name in named):
            found.append(f"{each} wants {each.status} {each.names!r}: {response.status_code} {response.text[:200]}")
    return found


def kept(workspace: Workspace) -> dict[str, int]:
    """How many records of every resource there are, and how many events."""
    asked = {resource.collection: {"archived": "all"} if resource.lifecycle.archive else {} for resource in RESOURCES}
    asked["events"] = {}
    return {
        name: answered(workspace.admin.post(f"/{name}/count", json=body), 200)["count"] for name, body in asked.items()
    }


@every_resource
def test_every_field_refuses_bad_values_and_nothing_is_kept(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    existing = records.create()["id"]
    before = kept(workspace)
    assert mistaken(workspace, bad_bodies(resource, records.body(1), existing)) == []
    assert kept(workspace) == before


@every_resource
def test_every_filter_refuses_bad_values(resource: Resource, workspace: Workspace) -> None:
    assert mistaken(workspace, bad_filters(resource)) == []


def test_every_operation_refuses_malformed_requests_and_keeps_nothing(
    new_workspace: Callable[[], Workspace],
) -> None:
    workspace = stock(new_workspace()).workspace
    before = kept(workspace)
    assert mistaken(workspace, bad_requests()) == []
    assert kept(workspace) == before


def test_there_are_over_a_thousand_malformed_inputs() -> None:
    by_hand = [each for name in dir(bad) if name.startswith("BAD_") for each in getattr(bad, name)]
    made = list(bad_requests())
    for resource in RESOURCES:
        made += [*bad_bodies(resource, BODIES[resource.collection](1), UNKNOWN_ID), *bad_filters(resource)]
    assert len({repr(each) for each in [*by_hand, *made]}) >= 1_000
