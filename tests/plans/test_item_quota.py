"""No more items than the plan has, however they come."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from ptolemy.plans.plan import Plan
from tests.crowd import at_once, statuses
from tests.plans.desk import Desk
from tests.product import answered, problem
from tests.series.desk import SCALAR, bar, close, send, written

CLIENTS = 32
QUOTA = 1000


def csv_of(*identifiers: str) -> bytes:
    return "\n".join(["identifier,name,type_id", *(f"{each},{each},equity" for each in identifiers)]).encode()


def values_csv(count: int) -> bytes:
    rows = (f"i,close,2026-01-01T00:00:00.{n:06}Z,{n}" for n in range(count))
    return "\n".join(["instrument_id,type_id,timestamp,value", *rows]).encode()


def test_thirty_two_clients_bring_in_exactly_the_quota(desk: Desk) -> None:
    desk.on(Plan(items=QUOTA))
    token = desk.workspace.token("member")
    clients = [desk.workspace.client(token) for _ in range(CLIENTS)]
    each = QUOTA // CLIENTS + 2

    def busy(client: httpx.Client, number: int) -> Counter[int]:
        return statuses([desk.instrument(f"i{number}-{n}", client) for n in range(each)])

    answers = sum(at_once(clients, busy), Counter[int]())
    assert answers == {201: QUOTA, 403: CLIENTS * each - QUOTA}
    assert desk.counter() == desk.stored_items() == QUOTA


def test_a_creation_over_the_quota_is_refused_and_leaves_nothing(desk: Desk) -> None:
    desk.on(Plan(items=1)).instruments("a")
    refused = problem(desk.instrument("b"), 403, "item_quota_exceeded")
    assert "1 items" in refused["detail"]
    assert answered(desk.workspace.admin.get("/instruments"), 200)["data"][0]["identifier"] == "a"
    assert answered(desk.workspace.admin.get("/instruments/b"), 404)["code"] == "not_found"
    # Sorted, they are all there at once: the feed waits for the writers of other tests.
    asked = {
        "filter": {"field": "event_type", "op": "eq", "value": "instrument.created"},
        "sort": [{"field": "created_at"}],
    }
    events = answered(desk.workspace.admin.post("/events/filter", json=asked), 200)["data"]
    assert [event["resource_identifier"] for event in events] == ["a"]


def test_a_refused_creation_leaves_its_idempotency_key_free(desk: Desk) -> None:
    desk.on(Plan(items=0))
    body = {"identifier": "a", "name": "a", "type_id": "equity"}
    key = {"Idempotency-Key": "once"}
    problem(desk.workspace.admin.post("/instruments", json=body, headers=key), 403, "item_quota_exceeded")
    desk.on(Plan(items=1))
    answered(desk.workspace.admin.post("/instruments", json=body, headers=key), 201)


def test_changes_and_archives_need_no_room(desk: Desk) -> None:
    desk.on(Plan(items=1)).instruments("a")
    answered(desk.workspace.admin.patch("/instruments/a", json={"name": "b"}), 200)
    answered(desk.workspace.admin.delete("/instruments/a"), 204)
    answered(desk.workspace.admin.post("/instruments/a/restore"), 200)
    assert desk.counter() == 1


def test_an_archived_item_takes_room_and_a_hard_delete_frees_it(desk: Desk) -> None:
    desk.on(Plan(items=1)).instruments("a")
    answered(desk.workspace.admin.delete("/instruments/a"), 204)
    problem(desk.instrument("b"), 403, "item_quota_exceeded")
    answered(desk.workspace.admin.delete("/instruments/a?hard=true"), 204)
    desk.instruments("b")
    assert desk.counter() == 1


def test_a_cascade_frees_all_that_it_takes(desk: Desk) -> None:
    desk.on(Plan(items=7)).instruments("i")
    answered(send(desk.workspace, SCALAR, close("2026-01-01", 1, "i")), 200)
    answered(send(desk.workspace, "composite-time-series-values", bar("2026-01-01", "i")), 200)
    assert desk.counter() == 7
    problem(desk.instrument("j"), 403, "item_quota_exceeded")
    answered(desk.workspace.admin.delete("/instruments/i?hard=true&cascade=true"), 204)
    assert desk.counter() == desk.stored_items() == 0


def test_one_more_item_of_a_composite_value_needs_room(desk: Desk) -> None:
    desk.workspace.create("time-series-type-fields", type_id="bar", field_key="volume", data_type="number")
    desk.on(Plan(items=6)).instruments("i")
    answered(send(desk.workspace, "composite-time-series-values", bar("2026-01-01", "i")), 200)
    [value] = answered(desk.workspace.admin.get("/composite-time-series-values"), 200)["data"]
    more = {"items": [{"field_key": "volume", "value": "1"}]}
    address = f"/composite-time-series-values/{value['id']}"
    problem(desk.workspace.admin.patch(address, json=more), 403, "item_quota_exceeded")
    assert len(answered(desk.workspace.admin.get(address), 200)["items"]) == 4


def test_a_batch_over_the_quota_writes_nothing(desk: Desk) -> None:
    desk.on(Plan(items=3)).instruments("i")
    three = [close(f"2026-01-0{n}", n, "i") for n in (1, 2, 3)]
    problem(send(desk.workspace, SCALAR, *three), 403, "item_quota_exceeded")
    assert desk.counter() == 1
    assert written(desk.workspace, SCALAR, *three[:2]) == (2, 0, 0)
    assert written(desk.workspace, SCALAR, *three[:2], on_conflict="skip") == (0, 0, 2)


@pytest.mark.parametrize(("count", "room"), [(5, 3), (5, 0), (700, 600)])
def test_under_continue_the_rows_beyond_the_quota_fail_and_no_others(desk: Desk, count: int, room: int) -> None:
    desk.on(Plan(items=room))
    job = desk.workspace.import_file("instruments", csv_of(*(f"i{n}" for n in range(count))), "continue")
    assert (job["status"], job["rows_imported"], job["rows_failed"]) == ("completed", room, count - room)
    assert [(each["code"], each["count"]) for each in job["error_summary"]] == [("item_quota_exceeded", count - room)]
    assert [error["row"] for error in job["errors"]][:3] == list(range(room + 1, count + 1))[:3]
    assert desk.counter() == desk.stored_items() == room


def test_rows_that_fail_for_other_reasons_take_no_room(desk: Desk) -> None:
    desk.instruments("i0").on(Plan(items=3))
    content = csv_of("i0", "i1", "a b", "i2", "i3")
    job = desk.workspace.import_file("instruments", content, "continue")
    codes = {error["row"]: error["code"] for error in job["errors"]}
    assert codes == {1: "conflict", 3: "invalid_identifier", 5: "item_quota_exceeded"}


def test_an_import_of_values_by_columns_stops_at_the_quota(desk: Desk) -> None:
    desk.on(Plan(items=41)).instruments("i")
    answered(send(desk.workspace, SCALAR, close("2026-01-01T00:00:00.000003Z", 1, "i")), 200)
    job = desk.workspace.import_file("time_series_values", values_csv(50), "continue")
    assert (job["status"], job["rows_imported"], job["rows_failed"]) == ("completed", 39, 11)
    codes = {error["row"]: error["code"] for error in job["errors"]}
    assert codes == {4: "conflict", **dict.fromkeys(range(41, 51), "item_quota_exceeded")}
    assert desk.counter() == desk.stored_items() == 41


def test_values_with_custom_fields_stop_at_the_quota_too(desk: Desk) -> None:
    desk.workspace.create("time-series-type-fields", type_id="close", field_key="note", data_type="text")
    desk.on(Plan(items=4)).instruments("i")
    rows = "\n".join(f"i,close,2026-01-0{n},{n},x" for n in range(1, 7))
    content = f"instrument_id,type_id,timestamp,value,field.note\n{rows}".encode()
    job = desk.workspace.import_file("time_series_values", content, "continue")
    assert (job["rows_imported"], [error["row"] for error in job["errors"]]) == (3, [4, 5, 6])
    assert desk.counter() == 4


@pytest.mark.parametrize("resource", ["instruments", "time_series_values"])
def test_under_abort_an_import_over_the_quota_fails_whole(desk: Desk, resource: str) -> None:
    desk.on(Plan(items=3)).instruments("i")
    content = csv_of("a", "b", "c") if resource == "instruments" else values_csv(3)
    job = desk.workspace.import_file(resource, content)
    assert (job["status"], job["rows_imported"], job["rows_failed"]) == ("failed", 0, 1)
    assert job["errors"][0]["code"] == "item_quota_exceeded"
    assert desk.counter() == desk.stored_items() == 1


def test_an_upsert_over_the_quota_still_changes_what_is_there(desk: Desk) -> None:
    desk.on(Plan(items=2)).instruments("a", "b")
    content = b"identifier,name,type_id\na,A,equity\nnew,N,equity\nnew,M,equity\nb,B,equity\n"
    files = {"file": ("f", io.BytesIO(content))}
    data = {"resource_type": "instruments", "on_error": "continue", "identifier_column": "identifier"}
    asked = answered(desk.workspace.robot.post("/imports", files=files, data=data), 202)
    job = desk.workspace.finished("imports", asked)
    assert (job["rows_updated"], job["rows_failed"]) == (2, 2)
    assert {error["row"]: error["code"] for error in job["errors"]} == dict.fromkeys((2, 3), "item_quota_exceeded")
    names = {row["name"] for row in answered(desk.workspace.admin.get("/instruments"), 200)["data"]}
    assert names == {"A", "B"}


def test_a_rehearsal_names_the_rows_beyond_the_quota(desk: Desk) -> None:
    desk.on(Plan(items=1))
    files = {"file": ("f", io.BytesIO(csv_of("a", "b")))}
    data = {"resource_type": "instruments", "on_error": "continue", "dry_run": "true"}
    job = desk.workspace.finished(
        "imports", answered(desk.workspace.robot.post("/imports", files=files, data=data), 202)
    )
    assert [error["row"] for error in job["errors"]] == [2]
    assert desk.counter() == 0


def test_imports_beside_each_other_bring_in_exactly_the_quota(desk: Desk) -> None:
    desk.on(Plan(items=900)).instruments("i")
    files = [json.dumps([close(f"2026-01-01T00:00:{n:02}.{m:06}Z", 1, "i") for m in range(400)]) for n in range(3)]
    asked = [
        answered(
            desk.workspace.robot.post(
                "/imports",
                files={"file": ("f", content.encode())},
                data={"resource_type": "time_series_values", "on_error": "continue"},
            ),
            202,
        )
        for content in files
    ]
    jobs = [desk.workspace.finished("imports", job) for job in asked]
    assert [job["status"] for job in jobs] == ["completed"] * 3
    assert sum(job["rows_imported"] for job in jobs) == 899
    assert sum(job["rows_failed"] for job in jobs) == 301
    assert desk.counter() == desk.stored_items() == 900


def test_a_restored_archive_obeys_the_quota(desk: Desk, new_desk: Callable[[], Desk]) -> None:
    desk.instruments("a", "b", "c")
    archive = desk.workspace.export_workspace()
    small = new_desk().on(Plan(items=2))
    job = small.workspace.import_workspace(archive)
    assert job["status"] == "failed"
    assert "2 items" in job["error"]
    assert small.counter() == small.stored_items() == 0
    large = new_desk().on(Plan(items=3))
    assert large.workspace.import_workspace(archive)["status"] == "completed"
    assert large.counter() == 3


def test_with_overage_items_pass_and_the_most_of_the_month_is_kept(desk: Desk) -> None:
    desk.on(Plan(items=1, item_overage=True)).instruments("a", "b", "c")
    answered(desk.workspace.admin.delete("/instruments/a?hard=true"), 204)
    plan = desk.plan()
    assert (plan["usage"]["items"], plan["usage"]["overage"]["items"]) == (2, 2)
    assert plan["overage_allowed"] == {"items": True, "calls": False}
    assert desk.counter() == 2


def test_without_a_limit_no_count_is_kept(desk: Desk) -> None:
    desk.instruments("a")
    assert desk.counter() is None
    assert desk.plan()["usage"]["items"] == 1
