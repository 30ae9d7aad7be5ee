"""The sessions of a market between two dates, with their instants."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.calendars.exchange import Exchange
from tests.product import answered, problem, refused_fields


def test_sessions_are_the_open_days_between_two_dates_oldest_first(xnys: Exchange) -> None:
    xnys.write("2026-12-28", open_time="09:30", close_time="16:00")
    xnys.write("2026-12-24", open_time="09:30", close_time="13:00", name="Christmas Eve")
    xnys.write("2026-12-25", is_open=False, name="Christmas")
    xnys.write("2026-12-29", open_time="09:30", close_time="16:00")
    page = xnys.sessions("2026-12-24", "2026-12-28")
    assert page == {
        "data": [
            {
                "date": "2026-12-24",
                "opens_at": "2026-12-24T14:30:00Z",
                "closes_at": "2026-12-24T18:00:00Z",
                "open_time": "09:30:00",
                "close_time": "13:00:00",
                "name": "Christmas Eve",
                "source": "manual",
            },
            {
                "date": "2026-12-28",
                "opens_at": "2026-12-28T14:30:00Z",
                "closes_at": "2026-12-28T21:00:00Z",
                "open_time": "09:30:00",
                "close_time": "16:00:00",
                "name": None,
                "source": "manual",
            },
        ],
        "meta": {"next_cursor": None, "has_more": False},
    }


def test_sessions_are_walked_page_by_page(xnys: Exchange) -> None:
    xnys.generate("2026-01-01", "2026-12-31")
    seen, after = [], None
    while True:
        page = xnys.sessions("2026-01-01", "2026-12-31", limit=100, after=after)
        seen += [session["date"] for session in page["data"]]
        after = page["meta"]["next_cursor"]
        if after is None:
            break
    assert seen == [day for day, row in _all_days(xnys).items() if row]
    assert len(seen) == 251


def _all_days(xnys: Exchange) -> dict[str, bool]:
    halves = [("2026-01-01", "2026-06-30"), ("2026-07-01", "2026-12-31")]
    found: dict[str, bool] = {}
    for first, last in halves:
        between = [{"field": "date", "op": op, "value": day} for op, day in (("gte", first), ("lte", last))]
        body = {"filter": {"and": between}, "sort": [{"field": "date"}], "limit": 200}
        page = answered(xnys.workspace.robot.post("/market-calendars/filter", json=body), 200)
        found |= {row["date"]: row["is_open"] for row in page["data"]}
    return found


@pytest.mark.parametrize(
    ("first", "last", "dates"),
    [
        (None, None, ["2026-12-21", "2026-12-22"]),
        ("2026-12-22", None, ["2026-12-22"]),
        (None, "2026-12-21", ["2026-12-21"]),
        ("2026-12-22", "2026-12-22", ["2026-12-22"]),
        ("2027-01-01", "2027-12-31", []),
    ],
)
def test_either_end_may_be_left_open(first: str | None, last: str | None, dates: list[str], xnys: Exchange) -> None:
    xnys.write("2026-12-21")
    xnys.write("2026-12-22")
    assert [session["date"] for session in xnys.sessions(first, last)["data"]] == dates


def test_sessions_of_another_market_do_not_appear(xnys: Exchange, xasx: Exchange) -> None:
    xasx.write("2026-12-21")
    assert xnys.sessions()["data"] == []


@pytest.mark.parametrize(
    ("mic", "timezone", "instants"),
    [
        # The clocks of New York go forward on 10 March 2024, those of Sydney back on 7 April.
        (
            "XNYS",
            "America/New_York",
            {
                "2024-03-08": ("2024-03-08T14:30:00Z", "2024-03-08T21:00:00Z"),
                "2024-03-11": ("2024-03-11T13:30:00Z", "2024-03-11T20:00:00Z"),
            },
        ),
        (
            "XASX",
            "Australia/Sydney",
            {
                "2024-04-05": ("2024-04-04T23:00:00Z", "2024-04-05T05:00:00Z"),
                "2024-04-08": ("2024-04-08T00:00:00Z", "2024-04-08T06:00:00Z"),
            },
        ),
        # Chicago's futures trade from five to five, so a session begins on the day before.
        (
            "CMES",
            "America/Chicago",
            {
                "2024-03-08": ("2024-03-07T23:00:00Z", "2024-03-08T23:00:00Z"),
                "2024-03-11": ("2024-03-10T22:00:00Z", "2024-03-11T22:00:00Z"),
            },
        ),
    ],
)
def test_instants_follow_the_market_s_clock_through_the_changes_of_the_hour(
    mic: str, timezone: str, instants: dict[str, tuple[str, str]], new_market: Callable[..., Exchange]
) -> None:
    market = new_market(mic, timezone)
    first, last = instants
    market.generate(first, last)
    found = {each["date"]: (each["opens_at"], each["closes_at"]) for each in market.sessions(first, last)["data"]}
    assert {day: found[day] for day in instants} == instants


@pytest.mark.parametrize(
    ("open_time", "close_time", "instants"),
    [
        ("22:00", "21:00", ("2026-12-20T22:00:00Z", "2026-12-21T21:00:00Z")),
        ("09:00", "09:00", ("2026-12-20T09:00:00Z", "2026-12-21T09:00:00Z")),
        ("00:00", "00:00", ("2026-12-21T00:00:00Z", "2026-12-22T00:00:00Z")),
        ("22:00", "00:00", ("2026-12-21T22:00:00Z", "2026-12-22T00:00:00Z")),
    ],
)
def test_a_session_may_reach_over_midnight(
    open_time: str, close_time: str, instants: tuple[str, str], new_market: Callable[..., Exchange]
) -> None:
    market = new_market(timezone="UTC")
    market.write("2026-12-21", open_time=open_time, close_time=close_time)
    [session] = market.sessions()["data"]
    assert (session["opens_at"], session["closes_at"]) == instants


def test_times_of_a_market_without_a_timezone_are_utc_and_it_is_said(new_market: Callable[..., Exchange]) -> None:
    market = new_market()
    market.write("2026-12-21", open_time="09:30", close_time="16:00")
    page = market.sessions()
    assert page["data"][0]["opens_at"] == "2026-12-21T09:30:00Z"
    assert page["warnings"] == ["the market has no timezone: times are taken as UTC"]


def test_a_session_without_times_has_no_instants(xnys: Exchange) -> None:
    xnys.write("2026-12-21")
    [session] = xnys.sessions()["data"]
    assert (session["opens_at"], session["closes_at"]) == (None, None)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("timezone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_the_last_day_there_is_have_sessions(
    day: str, timezone: str, new_market: Callable[..., Exchange]
) -> None:
    market = new_market(timezone=timezone)
    market.write(day, open_time="18:00", close_time="17:00")
    [session] = market.sessions()["data"]
    assert session["date"] == day
    market.at(f"{day}T12:00:00Z")
    market.at("0001-01-01")
    market.at("9999-12-31T23:59:59.999999Z")


def test_what_is_asked_wrongly_is_refused_by_name(xnys: Exchange) -> None:
    path = "/markets/xnys/sessions"
    client = xnys.workspace.robot
    assert refused_fields(client.get(path, params={"from": "today"})) == {"from": "invalid_date"}
    assert refused_fields(client.get(path, params={"from": "2026-02-01", "to": "2026-01-31"})) == {"to": "before_from"}
    assert refused_fields(client.get(path, params={"form": "2026-01-01"})) == {"form": "unknown_field"}
    problem(client.get(path, params={"after": "forged"}), 400, "invalid_cursor")
    problem(client.get("/markets/none/sessions", params={"from": "today"}), 404, "not_found")
    problem(client.post(path, json={}), 405, "method_not_allowed")


def test_a_viewer_sees_sessions_and_opening_but_does_not_generate(xnys: Exchange) -> None:
    viewer = xnys.workspace.client(xnys.workspace.token("viewer"))
    answered(viewer.get("/markets/xnys/sessions"), 200)
    answered(viewer.get("/markets/xnys/is-open"), 200)
    problem(viewer.post("/markets/xnys/calendar/generate", json={}), 403, "forbidden")
