"""A day of a calendar: what it takes, and whose it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.calendars.exchange import CALENDARS, Exchange
from tests.product import answered, problem, refused_fields

Events = Callable[..., list[dict[str, Any]]]


def test_a_day_is_open_and_manual_unless_said_otherwise(xnys: Exchange) -> None:
    day = xnys.write("2026-12-21")
    assert (day["is_open"], day["open_time"], day["close_time"], day["source"]) == (True, None, None, "manual")
    assert "archived_at" not in day


@pytest.mark.parametrize(("sent", "shown"), [("09:30", "09:30:00"), ("09:30:15", "09:30:15"), ("00:00", "00:00:00")])
def test_a_time_is_answered_with_seconds(sent: str, shown: str, xnys: Exchange) -> None:
    assert xnys.write("2026-12-21", open_time=sent, close_time="23:59:59")["open_time"] == shown


@pytest.mark.parametrize("sent", ["24:00", "9:30", "09:60", "09:30:00.5", "09:30Z", "", 930, True, ["09:30"], "٠٩:٣٠"])
def test_what_is_no_time_is_refused(sent: Any, xnys: Exchange) -> None:
    body = {"market_id": "xnys", "date": "2026-12-21", "open_time": sent, "close_time": "16:00"}
    assert refused_fields(xnys.workspace.robot.post(CALENDARS, json=body)) == {"open_time": "invalid_time"}


def test_times_are_filtered_and_sorted_as_times(xnys: Exchange) -> None:
    for number, opens in enumerate(("10:00", "09:30", "08:00:30")):
        xnys.write(f"2026-12-2{number + 1}", open_time=opens, close_time="16:00")
    asked = {"filter": {"field": "open_time", "op": "gte", "value": "08:00:30"}, "sort": [{"field": "open_time"}]}
    found = answered(xnys.workspace.robot.post(f"{CALENDARS}/filter", json=asked), 200)["data"]
    assert [day["open_time"] for day in found] == ["08:00:30", "09:30:00", "10:00:00"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"open_time": "09:30"}, {"close_time": "time_missing"}),
        ({"close_time": "09:30"}, {"open_time": "time_missing"}),
        (
            {"is_open": False, "open_time": "09:30", "close_time": "16:00"},
            {"open_time": "closed_day", "close_time": "closed_day"},
        ),
    ],
)
def test_a_session_has_both_times_and_a_closed_day_none(
    values: dict[str, Any], fault: dict[str, str], xnys: Exchange
) -> None:
    body = {"market_id": "xnys", "date": "2026-12-21", **values}
    assert refused_fields(xnys.workspace.robot.post(CALENDARS, json=body)) == fault


def test_a_day_that_is_closed_later_loses_its_times(xnys: Exchange, events: Events) -> None:
    day = xnys.write("2026-12-21", open_time="09:30", close_time="16:00")
    closed = xnys.change(day, is_open=False, name="Blizzard")
    assert (closed["open_time"], closed["close_time"]) == (None, None)
    [event] = events(resource_id=day["id"], event_type="market_calendar.updated")
    assert set(event["changes"]) == {"is_open", "name", "open_time", "close_time"}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_the_source_is_not_for_sending(method: str, xnys: Exchange) -> None:
    path = CALENDARS if method == "POST" else f"{CALENDARS}/{xnys.write('2026-12-21')['id']}"
    body = {"market_id": "xnys", "date": "2026-12-22", "source": "me"}
    assert refused_fields(xnys.workspace.robot.request(method, path, json=body)) == {"source": "unknown_field"}


def test_a_generated_day_that_a_person_changes_is_theirs(xnys: Exchange, events: Events) -> None:
    xnys.generate("2026-12-24", "2026-12-24")
    day = xnys.days()["2026-12-24"]
    assert xnys.change(day, name=day["name"])["source"] == day["source"] != "manual"
    assert xnys.change(day, close_time="12:00")["source"] == "manual"
    [event] = events(resource_id=day["id"], event_type="market_calendar.updated")
    assert event["changes"] == {
        "close_time": {"from": "13:00:00", "to": "12:00:00"},
        "source": {"from": day["source"], "to": "manual"},
    }


@pytest.mark.parametrize("params", [{}, {"hard": "true"}])
def test_deleting_a_day_is_permanent_with_or_without_hard(params: dict[str, str], xnys: Exchange) -> None:
    path = f"{CALENDARS}/{xnys.write('2026-12-21')['id']}"
    answered(xnys.workspace.robot.delete(path, params=params), 204)
    problem(xnys.workspace.robot.get(path), 404, "not_found")
    xnys.write("2026-12-21")


def test_a_hard_delete_of_a_market_takes_its_calendar_along(xnys: Exchange, xasx: Exchange, events: Events) -> None:
    days = [xnys.write("2026-12-21"), xnys.write("2026-12-22")]
    other = xasx.write("2026-12-21")
    answered(xnys.workspace.robot.delete("/markets/xnys", params={"hard": "true"}), 204)
    deleted = events(event_type="market_calendar.deleted")
    assert {str(event["resource_id"]) for event in deleted} == {day["id"] for day in days}
    assert answered(xnys.workspace.robot.get(CALENDARS), 200)["data"] == [other]


def test_a_day_of_an_archived_market_is_not_created(xnys: Exchange) -> None:
    answered(xnys.workspace.robot.delete("/markets/xnys"), 204)
    body = {"market_id": "xnys", "date": "2026-12-21"}
    problem(xnys.workspace.robot.post(CALENDARS, json=body), 409, "parent_archived")


@pytest.mark.parametrize("file_format", ["json", "csv"])
def test_a_row_without_an_id_is_manual_whatever_its_source_says(file_format: str, xnys: Exchange) -> None:
    files = {
        "json": b'[{"market": "xnys", "date": "2026-12-25", "is_open": false, "source": "exchange_calendars 1"}]',
        "csv": b"market,date,is_open,open_time,close_time,source\nxnys,2026-12-25,false,,,exchange_calendars 1\n",
    }
    assert xnys.workspace.import_file("market_calendars", files[file_format])["rows_imported"] == 1
    assert xnys.days()["2026-12-25"]["source"] == "manual"


def test_a_row_with_an_id_keeps_its_source(xnys: Exchange) -> None:
    xnys.generate("2026-12-21", "2026-12-24")
    before = xnys.days()
    content = xnys.workspace.export("market_calendars", format="csv")
    for day in before.values():
        answered(xnys.workspace.robot.delete(f"{CALENDARS}/{day['id']}"), 204)
    assert xnys.workspace.import_file("market_calendars", content)["rows_imported"] == 4
    assert xnys.days() == before
