"""The archive of a workspace goes back into one that holds data: each record becomes what the archive says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.backups.archives import contents, packed_anew, unpacked
from tests.backups.stock import fill_all
from tests.crowd import at_once, crowd
from tests.product import Workspace, answered, problem, refused_fields, wait_for

NewWorkspace = Callable[[], Workspace]


def events(workspace: Workspace) -> list[dict[str, Any]]:
    """All events, those of jobs left out, once the feed tells them: it waits for the writers of other tests."""
    number = answered(workspace.admin.post("/events/count", json={}), 200)["count"]
    found = wait_for(lambda: each if len(each := _feed(workspace)) == number else None)
    return [each for each in found if each["resource_type"] not in ("import", "export")]


def _feed(workspace: Workspace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 200}
    while True:
        page = answered(workspace.admin.get("/events", params=query), 200)
        found += page["data"]
        if not page["meta"]["has_more"]:
            return found
        query["after"] = page["meta"]["next_cursor"]


def told(job: dict[str, Any], what: str) -> dict[str, int]:
    """By file, where there are any."""
    return {count["file"].removesuffix(".json"): count[what] for count in job["files"] if count[what]}


def test_an_archive_over_equal_data_changes_nothing(workspace: Workspace) -> None:
    fill_all(workspace)
    archive, before = workspace.export_workspace(), events(workspace)
    job = workspace.import_workspace(archive, into_existing=True)
    assert (job["status"], job["rows_imported"], job["rows_updated"], job["rows_failed"]) == ("completed", 0, 0, 0), job
    assert job["into_existing"] is True
    assert all(count["unchanged"] == count["expected"] > 0 for count in job["files"])
    assert contents(workspace.export_workspace()) == contents(archive)
    assert events(workspace) == before


def damage(workspace: Workspace) -> None:
    """Records of all kinds changed, archived, restored and removed."""
    answered(
        workspace.admin.patch("/instruments/bhp.ax", json={"name": "Other", "field_values": {"sector": None}}), 200
    )
    answered(workspace.admin.patch("/instruments/日本", json={"identifier": "nippon", "extras": {"a": 1}}), 200)
    answered(workspace.admin.post("/instruments/gone/restore"), 200)
    answered(workspace.admin.patch("/instruments/new-bond", json={"type_id": "equity"}), 200)
    assert workspace.admin.delete("/instruments/bhp.ax?hard=true&cascade=true").status_code == 204
    answered(workspace.admin.post("/markets/closed/restore"), 200)
    assert workspace.admin.delete("/markets/xasx?hard=true").status_code == 204
    assert workspace.admin.delete("/instrument-tags/equity").status_code == 204
    answered(workspace.admin.patch("/market-listing-statuses/halted", json={"is_tradable": True}), 200)
    answered(workspace.admin.patch("/series/close", json={"unit": "AUD", "identifier": "closing"}), 200)
    answered(workspace.admin.patch("/instrument-types/equity", json={"name": "Shares"}), 200)


def test_what_was_changed_archived_and_removed_comes_back(workspace: Workspace) -> None:
    fill_all(workspace)
    archive = workspace.export_workspace()
    damage(workspace)
    assert contents(workspace.export_workspace()) != contents(archive)
    job = workspace.import_workspace(archive, into_existing=True)
    assert (job["status"], job["errors"]) == ("completed", []), job
    assert told(job, "created").keys() >= {"instruments", "markets", "market_listings", "time_series_values"}
    assert told(job, "changed").keys() >= {"series", "instruments", "instrument_types", "instrument_tags"}
    assert contents(workspace.export_workspace()) == contents(archive)
    assert sum(told(job, "changed").values()) == job["rows_updated"]
    again = workspace.import_workspace(archive, into_existing=True)
    assert (again["rows_imported"], again["rows_updated"], again["rows_failed"]) == (0, 0, 0)


def test_each_record_that_comes_back_has_the_event_that_fits(workspace: Workspace) -> None:
    workspace.equity()
    for identifier in ("changed", "archived", "active", "removed"):
        workspace.create("instruments", identifier=identifier, name="N", type_id="equity")
    workspace.admin.delete("/instruments/archived")
    archive = workspace.export_workspace()
    answered(workspace.admin.patch("/instruments/changed", json={"name": "M"}), 200)
    answered(workspace.admin.post("/instruments/archived/restore"), 200)
    workspace.admin.delete("/instruments/active")
    workspace.admin.delete("/instruments/removed?hard=true")
    before = len(events(workspace))
    workspace.import_workspace(archive, into_existing=True)
    new = {each["resource_identifier"]: each for each in events(workspace)[before:]}
    assert {identifier: each["event_type"] for identifier, each in new.items()} == {
        "changed": "instrument.updated",
        "archived": "instrument.archived",
        "active": "instrument.restored",
        "removed": "instrument.created",
    }
    assert new["changed"]["changes"]["name"] == {"from": "M", "to": "N"}
    assert "updated_at" in new["changed"]["changes"]


def test_records_that_the_archive_does_not_know_are_left_alone(
    workspace: Workspace, new_workspace: NewWorkspace
) -> None:
    fill_all(workspace)
    other = new_workspace()
    fill_all(other)
    others = contents(other.export_workspace())
    archive = workspace.export_workspace()
    workspace.create("instrument-types", identifier="fund")
    workspace.create("instrument-type-fields", type_id="equity", field_key="since", data_type="text")
    mine = workspace.create("instruments", identifier="mine", name="", type_id="fund")
    answered(workspace.admin.patch("/instruments/bhp.ax", json={"field_values": {"since": "x"}}), 200)
    job = workspace.import_workspace(archive, into_existing=True)
    assert (job["status"], told(job, "changed")) == ("completed", {"instruments": 1}), job
    assert answered(workspace.robot.get("/instruments/mine"), 200) == mine
    assert "since" not in answered(workspace.robot.get("/instruments/bhp.ax"), 200)["extra_fields_snapshot"]
    answered(workspace.robot.get("/instrument-types/fund"), 200)
    assert contents(other.export_workspace()) == others


@pytest.fixture
def conflicting(workspace: Workspace) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """An archive; its instrument `bhp.ax`, which is removed; and another of its name."""
    fill_all(workspace)
    archive = workspace.export_workspace()
    lost = answered(workspace.robot.get("/instruments/bhp.ax"), 200)
    assert workspace.admin.delete("/instruments/bhp.ax?hard=true&cascade=true").status_code == 204
    other = workspace.create("instruments", identifier="bhp.ax", name="Other", type_id="equity")
    return archive, lost, other


def test_a_conflict_names_the_file_the_row_and_both_records_and_nothing_stays(
    workspace: Workspace, conflicting: tuple[bytes, dict[str, Any], dict[str, Any]]
) -> None:
    archive, lost, other = conflicting
    before, told_before = contents(workspace.export_workspace()), events(workspace)
    job = workspace.import_workspace(archive, into_existing=True)
    assert (job["status"], job["rows_imported"], job["rows_updated"]) == ("failed", 0, 0)
    first = next(error for error in job["errors"] if error["code"] == "conflict")
    assert first["message"] == (
        f"instruments.json: an active instrument has the same identifier: {other['id']} ({lost['id']} in the backup)"
    )
    rows = json.loads(unpacked(archive)["instruments.json"])
    assert (rows[first["row"] - 1]["id"], first["field"]) == (lost["id"], "identifier")
    assert told(job, "failed").keys() >= {"instruments", "market_listings", "time_series_values"}
    assert not told(job, "created") and not told(job, "changed")
    assert contents(workspace.export_workspace()) == before
    assert events(workspace) == told_before


def test_under_continue_the_good_rows_go_in_and_what_depends_on_a_failed_one_fails(
    workspace: Workspace, conflicting: tuple[bytes, dict[str, Any], dict[str, Any]]
) -> None:
    archive, _, other = conflicting
    answered(workspace.admin.patch("/instruments/日本", json={"name": "Other"}), 200)
    job = workspace.import_workspace(archive, into_existing=True, on_error="continue")
    assert job["status"] == "completed"
    assert told(job, "failed")["instruments"] == 1
    assert {error["code"] for error in job["errors"]} == {"conflict", "unknown_reference"}
    summary = {(group["file"], group["code"], group["field"]): group for group in job["error_summary"]}
    first = next(error for error in job["errors"] if error["code"] == "conflict")
    conflict = summary["instruments.json", "conflict", "identifier"]
    assert (conflict["count"], conflict["first_rows"]) == (1, [first["row"]])
    assert {file for file, _, _ in summary} == {f"{name}.json" for name in told(job, "failed")}
    # The values of the lost one don't go to the one that has its name now.
    asked = {"instrument_id": other["id"], "archived": "all"}
    assert answered(workspace.robot.post("/time-series-values/count", json=asked), 200) == {"count": 0}
    assert answered(workspace.robot.get("/instruments/日本"), 200)["name"] == "'quoted\nlines"
    assert answered(workspace.robot.get("/instruments/bhp.ax"), 200) == other
    for count in job["files"]:
        assert count["expected"] == sum(count[each] for each in ("created", "changed", "unchanged", "failed"))


@pytest.mark.parametrize("lost", ["changed", "removed"])
def test_a_value_whose_instant_is_taken_is_a_conflict_with_both_records(lost: str, workspace: Workspace) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="", type_id="equity")
    key = {"instrument_id": "a", "type_id": "close", "timestamp": "2026-01-01"}
    value = workspace.create("time-series-values", **key, value="1")
    workspace.create("time-series-values", **key | {"timestamp": "2026-01-02"}, value="2")
    archive = workspace.export_workspace()
    if lost == "changed":
        workspace.admin.delete(f"/time-series-values/{value['id']}")
    else:
        assert workspace.admin.delete("/instruments/a?hard=true&cascade=true").status_code == 204
        instruments = packed_anew(unpacked(archive) | {"time_series_values.json": b"[\n]\n"}, honest=True)
        files = unpacked(instruments)
        said = json.loads(files["manifest.json"])
        next(file for file in said["files"] if file["name"] == "time_series_values.json")["rows"] = 0
        files["manifest.json"] = json.dumps(said).encode()
        assert workspace.import_workspace(packed_anew(files), into_existing=True)["status"] == "completed"
    other = workspace.create("time-series-values", **key, value="3")
    job = workspace.import_workspace(archive, into_existing=True)
    assert [(error["row"], error["field"], error["code"]) for error in job["errors"]] == [(1, "timestamp", "conflict")]
    assert job["errors"][0]["message"].endswith(f": {other['id']} ({value['id']} in the backup)")


def test_a_suspension_that_overlaps_another_is_a_conflict_with_both_records(workspace: Workspace) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="", type_id="equity")
    workspace.create("markets", identifier="m", name="", type_id="exchange")
    listing = workspace.create("market-listings", instrument_id="a", market_id="m")["id"]
    lost = workspace.create("market-listing-suspensions", listing_id=listing, suspended_from="2026-01-01")
    archive = workspace.export_workspace()
    workspace.admin.delete(f"/market-listing-suspensions/{lost['id']}")
    other = workspace.create("market-listing-suspensions", listing_id=listing, suspended_from="2026-02-01")
    [error] = workspace.import_workspace(archive, into_existing=True)["errors"]
    assert (error["field"], error["code"]) == ("suspended_from", "conflict")
    assert error["message"].endswith(f": {other['id']} ({lost['id']} in the backup)")


def test_a_type_of_the_same_name_and_another_id_is_a_conflict(
    workspace: Workspace, new_workspace: NewWorkspace
) -> None:
    fill_all(workspace)
    other = new_workspace()
    mine = other.create("instrument-types", identifier="equity")
    job = other.import_workspace(workspace.export_workspace(), into_existing=True)
    first = job["errors"][0]
    assert (job["status"], first["code"], first["field"]) == ("failed", "conflict", "identifier")
    assert first["message"].startswith(
        f"instrument_types.json: an active instrument type has the same identifier: {mine['id']}"
    )


def test_names_that_records_handed_on_to_each_other_come_back(workspace: Workspace) -> None:
    workspace.equity()
    for identifier in "abc":
        workspace.create("instruments", identifier=identifier, name=identifier, type_id="equity")
    archive = workspace.export_workspace()
    for old, new in (("c", "d"), ("b", "c"), ("a", "b")):
        answered(workspace.admin.patch(f"/instruments/{old}", json={"identifier": new}), 200)
    job = workspace.import_workspace(archive, into_existing=True)
    assert (job["status"], told(job, "changed")) == ("completed", {"instruments": 3}), job
    assert contents(workspace.export_workspace()) == contents(archive)


def test_a_tree_that_was_turned_upside_down_comes_back(workspace: Workspace) -> None:
    workspace.create("instrument-tags", identifier="a")
    workspace.create("instrument-tags", identifier="b", parent_id="a")
    workspace.create("instrument-tags", identifier="c", parent_id="a.b")
    archive = workspace.export_workspace()
    for tag, parent in (("a.b.c", None), ("a.b", "c"), ("a", "c.b")):
        answered(workspace.admin.patch(f"/instrument-tags/{tag}", json={"parent_id": parent}), 200)
    job = workspace.import_workspace(archive, into_existing=True)
    assert job["status"] == "completed", job
    assert contents(workspace.export_workspace()) == contents(archive)


def test_into_an_empty_workspace_it_restores_the_whole(workspace: Workspace, new_workspace: NewWorkspace) -> None:
    fill_all(workspace)
    archive, other = workspace.export_workspace(), new_workspace()
    job = other.import_workspace(archive, into_existing=True)
    assert (job["status"], job["errors"]) == ("completed", []), job
    assert contents(other.export_workspace()) == contents(archive)


@pytest.mark.parametrize("into_existing", [False, True])
def test_a_dry_run_tells_by_file_what_would_be_and_writes_nothing(
    into_existing: bool, workspace: Workspace, new_workspace: NewWorkspace
) -> None:
    fill_all(workspace)
    archive = workspace.export_workspace()
    target = workspace if into_existing else new_workspace()
    if into_existing:
        damage(workspace)
    before, told_before = contents(target.export_workspace()), events(target)
    dry = target.import_workspace(archive, into_existing=into_existing, dry_run=True)
    assert (dry["status"], dry["dry_run"]) == ("completed", True), dry
    assert contents(target.export_workspace()) == before
    assert events(target) == told_before
    real = target.import_workspace(archive, into_existing=into_existing)
    names = ("files", "row_count", "rows_processed", "rows_imported", "rows_updated", "rows_failed")
    assert {name: dry[name] for name in names} == {name: real[name] for name in names}
    assert real["rows_imported"] > 0


def test_a_dry_run_tells_the_conflicts(
    workspace: Workspace, conflicting: tuple[bytes, dict[str, Any], dict[str, Any]]
) -> None:
    dry = workspace.import_workspace(conflicting[0], into_existing=True, dry_run=True)
    real = workspace.import_workspace(conflicting[0], into_existing=True)
    assert (dry["status"], real["status"]) == ("completed", "failed")
    assert dry["errors"] == real["errors"]
    assert told(dry, "failed") == told(real, "failed")


def test_only_into_existing_takes_on_error(workspace: Workspace) -> None:
    sent = {"resource_type": "workspace", "on_error": "continue"}
    answer = workspace.admin.post("/imports", files={"file": ("w.zip", b"PK")}, data=sent)
    assert refused_fields(answer) == {"on_error": "not_for_workspace"}
    sent = {"resource_type": "instruments", "into_existing": "true"}
    answer = workspace.admin.post("/imports", files={"file": ("w.json", b"[]")}, data=sent)
    assert refused_fields(answer) == {"into_existing": "for_workspace"}


def test_a_member_may_not_restore_into_a_workspace(workspace: Workspace) -> None:
    sent = {"resource_type": "workspace", "into_existing": "true"}
    problem(workspace.robot.post("/imports", files={"file": ("w.zip", b"PK")}, data=sent), 403, "forbidden")


def test_a_row_without_an_id_is_refused(workspace: Workspace) -> None:
    workspace.equity()
    workspace.create("instruments", identifier="a", name="", type_id="equity")
    workspace.create("time-series-values", instrument_id="a", type_id="close", timestamp="2026-01-01", value="1")
    files = unpacked(workspace.export_workspace())
    for name in ("instruments.json", "time_series_values.json"):
        rows = json.loads(files[name])
        del rows[0]["id"]
        files[name] = json.dumps(rows).encode()
    job = workspace.import_workspace(packed_anew(files, honest=True), into_existing=True)
    assert [(error["field"], error["code"]) for error in job["errors"]] == [("id", "required")] * 2


def test_writers_meanwhile_lose_nothing(workspace: Workspace) -> None:
    workspace.equity()
    rows = [{"identifier": f"i{n}", "name": "N", "type_id": "equity"} for n in range(3000)]
    workspace.import_file("instruments", json.dumps(rows).encode())
    archive = workspace.export_workspace()
    changed = [{"identifier": f"i{n}", "name": "Changed"} for n in range(0, 3000, 2)]
    asked = {"resource_type": "instruments", "identifier_column": "identifier"}
    answer = workspace.robot.post("/imports", files={"file": json.dumps(changed).encode()}, data=asked)
    workspace.finished("imports", answered(answer, 202))
    job = start(workspace, archive)
    written: list[str] = []

    def write(client: httpx.Client, number: int) -> httpx.Response:
        while True:
            one = f"w{number}-{len(written)}"
            body = {"identifier": one, "name": "", "type_id": "equity"}
            answered(client.post("/instruments", json=body), 201)
            point = {"instrument_id": f"i{number}", "type_id": "close", "timestamp": "2026-01-01", "value": "1"}
            client.post("/time-series-values", json=point | {"timestamp": f"{2000 + len(written) % 900}-01-01"})
            written.append(one)
            now = client.get(f"/imports/{job['id']}")
            if answered(now, 200)["status"] not in ("queued", "processing"):
                return now

    with crowd(workspace) as clients:
        ended = at_once(clients[:4], write)[0].json()
    assert (ended["status"], told(ended, "changed")) == ("completed", {"instruments": 1500}), ended
    found = json.loads(workspace.export("instruments"))
    assert {row["identifier"] for row in found if row["name"] == "N"} == {f"i{n}" for n in range(3000)}
    assert {row["identifier"] for row in found if row["name"] == ""} == set(written)


def test_of_a_restore_and_a_writer_that_want_one_name_one_gets_it(workspace: Workspace) -> None:
    workspace.equity()
    for identifier in ("wanted", "other"):
        workspace.create("instruments", identifier=identifier, name="", type_id="equity")
    archive = workspace.export_workspace()
    lost = answered(workspace.robot.get("/instruments/wanted"), 200)["id"]
    assert workspace.admin.delete("/instruments/wanted?hard=true").status_code == 204
    job = start(workspace, archive, on_error="continue")
    answer = workspace.robot.post("/instruments", json={"identifier": "wanted", "name": "", "type_id": "equity"})
    ended = workspace.finished("imports", job)
    assert ended["status"] == "completed"
    now = answered(workspace.robot.get("/instruments/wanted"), 200)["id"]
    if now == lost:
        problem(answer, 409, "duplicate")
        assert ended["errors"] == []
    else:
        assert answer.status_code == 201
        assert [error["code"] for error in ended["errors"]] == ["conflict"]


def start(workspace: Workspace, archive: bytes, **options: Any) -> dict[str, Any]:
    data = {"resource_type": "workspace", "into_existing": True, **options}
    return answered(workspace.admin.post("/imports", files={"file": ("w.zip", archive)}, data=data), 202)
