"""What holds of every resource, tried on each one in the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ptolemy.catalogue import RESOURCES
from ptolemy.engine.resource import Resource
from tests.product import Workspace, answered, problem, refused_fields

Body = dict[str, Any]


def _named(number: int) -> Body:
    return {"identifier": f"id-{number}", "name": f"Name {number}"}


def _field(type_id: str) -> Callable[[int], Body]:
    return lambda number: {"type_id": type_id, "field_key": f"key_{number}", "data_type": "text"}


def _instant(number: int) -> str:
    return f"2026-01-{number + 1:02}T00:00:00Z"


BODIES: dict[str, Callable[[int], Body]] = {
    "instrument-types": _named,
    "instrument-type-fields": _field("equity"),
    "market-types": _named,
    "market-type-fields": _field("exchange"),
    "series": _named,
    "time-series-type-fields": _field("close"),
    "market-listing-statuses": _named,
    "instruments": lambda number: {**_named(number), "type_id": "equity"},
    "instrument-tags": _named,
    "instrument-tag-assignments": lambda number: {"instrument_id": f"i{number}", "tag_id": "growth"},
    "markets": lambda number: {**_named(number), "type_id": "exchange"},
    "market-calendars": lambda number: {
        "market_id": "xasx",
        "date": f"2026-01-{number + 1:02}",
        "open_time": "10:00",
        "close_time": "16:00:00",
    },
    "market-listings": lambda number: {"instrument_id": f"i{number}", "market_id": "xasx", "currency": "AUD"},
    "market-listing-suspensions": lambda number: {
        "suspended_from": _instant(2 * number),
        "suspended_until": _instant(2 * number + 1),
    },
    "time-series-values": lambda number: {
        "instrument_id": "i0",
        "type_id": "close",
        "timestamp": _instant(number),
        "value": "1.50",
    },
    "composite-time-series-values": lambda number: {
        "instrument_id": "i0",
        "type_id": "bar",
        "timestamp": _instant(number),
        "items": [{"field_key": key, "value": "1"} for key in ("open", "high", "low", "close")],
    },
}
CHANGES: dict[str, Body] = {
    "instrument-tag-assignments": {"tag_id": "value"},
    "market-listings": {"local_code": "changed"},
    "market-listing-suspensions": {"reason": "changed"},
    "time-series-values": {"value": "2.75"},
    "composite-time-series-values": {"items": [{"field_key": "close", "value": "2.75"}]},
    "instrument-type-fields": {"field_label": "changed"},
    "market-type-fields": {"field_label": "changed"},
    "time-series-type-fields": {"field_label": "changed"},
}

every_resource = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.collection)
every_archiving = pytest.mark.parametrize(
    "resource", [each for each in RESOURCES if each.lifecycle.archive], ids=lambda resource: resource.collection
)


class Records:
    """Records of one resource in a workspace that has what they refer to."""

    def __init__(self, workspace: Workspace, resource: Resource) -> None:
        self.workspace, self.resource, self.path = workspace, resource, f"/{resource.collection}"
        workspace.equity()
        workspace.create("markets", identifier="xasx", name="ASX", type_id="exchange")
        for identifier in ("growth", "value"):
            workspace.create("instrument-tags", identifier=identifier)
        for number in range(5):
            workspace.create("instruments", identifier=f"i{number}", name="Parent", type_id="equity")
        self.listing = workspace.create("market-listings", instrument_id="i4", market_id="xasx")["id"]

    def body(self, number: int) -> Body:
        body = BODIES[self.resource.collection](number)
        return {"listing_id": self.listing, **body} if "suspended_from" in body else body

    def create(self, number: int = 0) -> Body:
        return self.workspace.create(self.resource.collection, **self.body(number))

    @property
    def change(self) -> Body:
        return CHANGES.get(self.resource.collection, {"name": "changed"})


@every_resource
def test_a_created_record_is_answered_as_it_is_read(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    response = workspace.admin.post(records.path, json=records.body(0))
    created = answered(response, 201)
    assert response.headers["location"].endswith(f"{records.path}/{created['id']}")
    assert answered(workspace.robot.get(f"{records.path}/{created['id']}"), 200) == created


@every_resource
def test_a_creation_writes_one_event(
    resource: Resource, workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    created = Records(workspace, resource).create()
    [event] = events(resource_id=created["id"])
    assert event["event_type"] == f"{resource.singular}.created"


@every_resource
def test_a_list_walks_every_record_once(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    created = [records.create(number)["id"] for number in range(3)]
    seen, after = [], None
    while True:
        page = answered(
            workspace.robot.get(records.path, params={"limit": 2, **({"after": after} if after else {})}), 200
        )
        seen += [record["id"] for record in page["data"]]
        after = page["meta"]["next_cursor"]
        assert page["meta"]["has_more"] == (after is not None)
        if after is None:
            break
    assert seen == sorted(set(seen))
    assert set(created) <= set(seen)


@every_resource
def test_a_change_answers_the_new_state_and_writes_what_changed(
    resource: Resource, workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    records = Records(workspace, resource)
    created = records.create()
    changed = answered(workspace.admin.patch(f"{records.path}/{created['id']}", json=records.change), 200)
    assert changed["updated_at"] > created["updated_at"]
    [event] = events(resource_id=created["id"], event_type=f"{resource.singular}.updated")
    assert list(event["changes"]) == list(records.change)


@every_resource
def test_a_change_that_changes_nothing_leaves_no_trace(
    resource: Resource, workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    records = Records(workspace, resource)
    created = records.create()
    same = records.body(0)
    assert answered(workspace.admin.patch(f"{records.path}/{created['id']}", json=same), 200) == created
    assert len(events(resource_id=created["id"])) == 1


@every_resource
def test_a_record_has_one_etag_for_each_of_its_states(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    created = workspace.admin.post(records.path, json=records.body(0))
    path, known = f"{records.path}/{answered(created, 201)['id']}", created.headers["etag"]
    assert workspace.robot.get(path).headers["etag"] == known
    assert workspace.admin.patch(path, json=records.body(0), headers={"if-match": known}).headers["etag"] == known
    changed = workspace.admin.patch(path, json=records.change, headers={"if-match": known})
    assert changed.status_code == 200
    assert workspace.robot.get(path).headers["etag"] == changed.headers["etag"] != known
    problem(workspace.admin.patch(path, json=records.change, headers={"if-match": known}), 412, "precondition_failed")
    problem(workspace.admin.delete(path, headers={"if-match": known}), 412, "precondition_failed")
    answered(workspace.admin.delete(path, headers={"if-match": changed.headers["etag"]}), 204)


@every_resource
def test_an_unknown_field_is_refused_by_name(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    response = workspace.admin.post(records.path, json={**records.body(0), "colour": "blue"})
    assert refused_fields(response) == {"colour": "unknown_field"}


@every_resource
def test_missing_fields_are_refused_by_name(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    required = {name for name, of in resource.fields.items() if of.required and of.default is None and not of.derived}
    assert refused_fields(workspace.admin.post(records.path, json={})) == dict.fromkeys(required, "required")


@every_resource
def test_an_unknown_record_is_a_404(resource: Resource, workspace: Workspace) -> None:
    path = f"/{resource.collection}/0190aaaa-0000-7000-8000-00000000abcd"
    problem(workspace.robot.get(path), 404, "not_found")
    problem(workspace.admin.patch(path, json={}), 404, "not_found")
    problem(workspace.admin.delete(path), 404, "not_found")


@every_resource
def test_another_workspace_does_not_see_the_record(
    resource: Resource, workspace: Workspace, new_workspace: Callable[[], Workspace]
) -> None:
    created, other = Records(workspace, resource).create(), new_workspace()
    problem(other.robot.get(f"/{resource.collection}/{created['id']}"), 404, "not_found")
    problem(other.client(workspace.token("member")).get(f"/{resource.collection}"), 404, "workspace_not_found")


@every_resource
def test_a_viewer_reads_and_does_not_write(resource: Resource, workspace: Workspace) -> None:
    viewer, path = workspace.client(workspace.token("viewer")), f"/{resource.collection}"
    answered(viewer.get(path), 200)
    answered(viewer.post(f"{path}/filter", json={}), 200)
    problem(viewer.post(path, json={}), 403, "forbidden")
    problem(viewer.delete(f"{path}/anything"), 403, "forbidden")


@every_archiving
def test_an_archived_record_is_hidden_unless_asked_for(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    created = records.create()
    assert workspace.admin.delete(f"{records.path}/{created['id']}").status_code == 204

    def listed(**params: str) -> set[str]:
        page = answered(workspace.robot.get(records.path, params={"limit": 200, **params}), 200)
        return {record["id"] for record in page["data"]}

    assert created["id"] not in listed()
    assert created["id"] in listed(archived="true")
    assert listed(archived="only") == {created["id"]}
    assert answered(workspace.robot.get(f"{records.path}/{created['id']}"), 200)["archived_at"] is not None


@every_archiving
def test_archiving_twice_changes_nothing(
    resource: Resource, workspace: Workspace, events: Callable[..., list[Body]]
) -> None:
    records = Records(workspace, resource)
    created = records.create()
    for _ in range(2):
        assert workspace.admin.delete(f"{records.path}/{created['id']}").status_code == 204
    assert len(events(resource_id=created["id"], event_type=f"{resource.singular}.archived")) == 1


@every_archiving
def test_a_restored_record_is_as_it_was(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    created = records.create()
    workspace.admin.delete(f"{records.path}/{created['id']}")
    restored = answered(workspace.admin.post(f"{records.path}/{created['id']}/restore"), 200)
    assert restored == {**created, "updated_at": restored["updated_at"]}
    problem(workspace.admin.post(f"{records.path}/{created['id']}/restore"), 409, "not_archived")


@every_archiving
def test_restoring_conflicts_when_the_place_is_taken(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    first = records.create()
    workspace.admin.delete(f"{records.path}/{first['id']}")
    records.create()
    problem(workspace.admin.post(f"{records.path}/{first['id']}/restore"), 409, "duplicate")


@every_archiving
def test_an_archived_record_does_not_change(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    created = records.create()
    workspace.admin.delete(f"{records.path}/{created['id']}")
    problem(workspace.admin.patch(f"{records.path}/{created['id']}", json=records.change), 409, "archived")


@every_resource
def test_a_second_record_in_the_same_place_is_a_conflict(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    records.create()
    code = "overlap" if resource.no_overlap else "duplicate"
    problem(workspace.admin.post(records.path, json=records.body(0)), 409, code)


@every_resource
def test_hard_delete_removes_for_ever_where_it_is_offered(resource: Resource, workspace: Workspace) -> None:
    records = Records(workspace, resource)
    created = records.create()
    response = workspace.admin.delete(f"{records.path}/{created['id']}", params={"hard": "true"})
    if not resource.lifecycle.hard_delete:
        problem(response, 400, "hard_delete_unsupported")
        return
    assert response.status_code == 204
    problem(workspace.admin.get(f"{records.path}/{created['id']}"), 404, "not_found")
