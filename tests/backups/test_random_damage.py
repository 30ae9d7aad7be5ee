"""Whatever becomes of a workspace, its archive brings back every record that it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptolemy.catalogue import RESOURCES
from tests.backups.archives import contents
from tests.backups.stock import fill_all
from tests.backups.test_random_workspaces import BODIES, NewWorkspace
from tests.product import Workspace

Damage = list[tuple[str, str, int, dict[str, Any]]]

PATCHES: dict[str, dict[str, Any]] = {
    collection: {name: value for name, value in fields.items() if name in ("name", "identifier", "extras", "reason")}
    for collection, fields in BODIES.items()
}
PATCHES["instruments"]["type_id"] = st.sampled_from(["equity", "bond"])
PATCHES["market-listings"] |= {"lot_size": st.sampled_from([None, "2"]), "status_id": st.sampled_from([None, "halted"])}
PATCHES["market-calendars"] |= {"is_open": st.booleans()}
PATCHES["time-series-values"] = {"value": st.sampled_from(["1", "45.82", "45.820"])}
PATCHES["instrument-type-fields"] = {"display_order": st.integers(-3, 3), "allow_null": st.booleans()}

WITHOUT_ARCHIVE = {each.collection for each in RESOURCES if not each.lifecycle.archive}


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Records changed, archived, restored and removed, in any order."""
    found: Damage = []
    for collection in draw(st.lists(st.sampled_from(list(BODIES)), min_size=3, max_size=25)):
        verb = draw(st.sampled_from(["patch", "archive", "restore", "remove"]))
        body = {name: draw(value) for name, value in PATCHES[collection].items() if verb == "patch"}
        found.append((verb, collection, draw(st.integers(0, 20)), body))
    return found


def do(workspace: Workspace, damage: Damage) -> int:
    """How much of it was let happen."""
    done = 0
    for verb, collection, place, body in damage:
        archived = {"archived": "all"} if collection not in WITHOUT_ARCHIVE else {}
        records = workspace.admin.get(f"/{collection}", params={"limit": 200, **archived}).json()["data"]
        if not records:
            continue
        address = f"/{collection}/{records[place % len(records)]['id']}"
        if verb == "patch":
            answer = workspace.admin.patch(address, json=body)
        elif verb == "restore":
            answer = workspace.admin.post(f"{address}/restore")
        else:
            hard = {"hard": "true", **({"cascade": "true"} if collection == "instruments" else {})}
            answer = workspace.admin.delete(address, params=hard if verb == "remove" else {})
        assert answer.status_code < 500, answer.text
        done += answer.is_success
    return done


def records(archive: bytes) -> dict[str, list[dict[str, Any]]]:
    return {name: json.loads(content) for name, content in contents(archive).items()}


def _comes_back(new_workspace: NewWorkspace, damage: Damage, *, someone_adds: bool) -> None:
    workspace = new_workspace()
    fill_all(workspace)
    archive = workspace.export_workspace()
    do(workspace, damage)
    if someone_adds:
        workspace.admin.post("/series", json={"identifier": "since"})
        workspace.admin.post(
            "/instrument-type-fields", json={"type_id": "equity", "field_key": "k", "data_type": "text"}
        )
        workspace.admin.post("/instruments", json={"identifier": "since", "name": "", "type_id": "bond"})
    job = workspace.import_workspace(archive, into_existing=True)
    assert (job["status"], job["errors"]) == ("completed", []), job
    found = records(workspace.export_workspace())
    for name, rows in records(archive).items():
        by_id = {row["id"]: row for row in found[name]}
        assert [by_id.get(row["id"]) for row in rows] == rows, name
    again = workspace.import_workspace(archive, into_existing=True)
    assert (again["status"], again["rows_imported"], again["rows_updated"]) == ("completed", 0, 0)


_SETTINGS: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=12, **_SETTINGS)
@given(damages(), st.booleans())
def test_an_archive_gives_back_every_record_that_it_holds(
    new_workspace: NewWorkspace, damage: Damage, someone_adds: bool
) -> None:
    _comes_back(new_workspace, damage, someone_adds=someone_adds)


@pytest.mark.long
@settings(max_examples=200, **_SETTINGS)
@given(damages(), st.booleans())
def test_an_archive_gives_back_every_record_200_times(
    new_workspace: NewWorkspace, damage: Damage, someone_adds: bool
) -> None:
    _comes_back(new_workspace, damage, someone_adds=someone_adds)
