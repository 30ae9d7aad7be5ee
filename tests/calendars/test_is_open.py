"""Whether a market is open at an instant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.calendars.exchange import CALENDARS, Exchange
from tests.product import answered, problem, refused_fields


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        ("2024-07-03T13:29:59.999999Z", False),
        ("2024-07-03T13:30:00Z", True),
        ("2024-07-03T09:30:00-04:00", True),
        ("2024-07-03T16:59:59.999999Z", True),
        ("2024-07-03T17:00:00Z", False),  # an early close
        ("2024-07-04T14:00:00Z", False),  # a holiday
        ("2024-07-06T14:00:00Z", False),  # a Saturday
    ],
)
def test_a_market_is_open_from_its_opening_to_before_its_close(instant: str, is_open: bool, xnys: Exchange) -> None:
    xnys.generate("2024-07-01", "2024-07-12")
    answer = xnys.at(instant)
    assert answer["is_open"] is is_open
    assert "warnings" not in answer


def test_the_answer_says_which_session_and_what_comes_next(xnys: Exchange) -> None:
    xnys.generate("2024-07-01", "2024-07-12")
    answer = xnys.at("2024-07-03T16:00:00Z")
    assert answer["session"]["date"] == "2024-07-03"
    assert answer["session"]["closes_at"] == answer["next_close"] == "2024-07-03T17:00:00Z"
    assert answer["next_open"] == "2024-07-05T13:30:00Z"
    closed = xnys.at("2024-07-03T17:00:00Z")
    assert closed["session"] is None
    assert (closed["next_open"], closed["next_close"]) == ("2024-07-05T13:30:00Z", "2024-07-05T20:00:00Z")


def test_without_an_instant_it_is_now(xnys: Exchange) -> None:
    answer = answered(xnys.workspace.robot.get("/markets/xnys/is-open"), 200)
    market = answered(xnys.workspace.robot.get("/markets/xnys"), 200)
    assert answer["market_id"] == market["id"]
    assert answer["at"] >= market["created_at"]


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [
        ("2024-03-10T21:59:59Z", False),
        ("2024-03-10T22:00:00Z", True),  # Sunday evening in Chicago, on the day that the clocks go forward
        ("2024-03-11T21:59:59Z", True),
        ("2024-03-15T22:00:00Z", False),
    ],
)
def test_a_session_that_began_the_day_before_counts(
    instant: str, is_open: bool, new_market: Callable[..., Exchange]
) -> None:
    market = new_market("CMES", "America/Chicago")
    market.generate("2024-03-04", "2024-03-22")
    answer = market.at(instant)
    assert answer["is_open"] is is_open
    assert "warnings" not in answer


def test_a_day_around_the_clock_is_open_on_the_long_day_too(new_market: Callable[..., Exchange]) -> None:
    market = new_market(timezone="Europe/Berlin")
    market.write("2026-10-25", open_time="00:00", close_time="00:00")
    assert [market.at(f"2026-10-{at}Z")["is_open"] for at in ("24T22:00:00", "25T22:59:59", "25T23:00:00")] == [
        True,
        True,
        False,
    ]


def test_a_session_without_times_is_open_all_day_and_it_is_said(xnys: Exchange) -> None:
    xnys.write("2026-12-21")
    answer = xnys.at("2026-12-22T04:59:59Z")
    assert answer["is_open"]
    assert answer["session"]["closes_at"] is None
    assert answer["warnings"] == ["the calendar has no times for 2026-12-21: all of the day counts as open"]


@pytest.mark.parametrize("instant", ["2024-06-28T14:00:00Z", "2024-07-15T14:00:00Z", "2024-07-13T14:00:00Z"])
def test_a_day_that_the_calendar_does_not_have_counts_as_closed_and_it_is_said(instant: str, xnys: Exchange) -> None:
    xnys.generate("2024-07-01", "2024-07-12")
    answer = xnys.at(instant)
    assert not answer["is_open"]
    assert answer["warnings"] == [f"the calendar has no row for {instant[:10]}: the market counts as closed"]


def test_a_weekday_that_is_missing_amid_the_calendar_is_told(xnys: Exchange) -> None:
    xnys.generate("2024-07-01", "2024-07-12")
    answered(xnys.workspace.robot.delete(f"{CALENDARS}/{xnys.days()['2024-07-10']['id']}"), 204)
    answer = xnys.at("2024-07-10T14:00:00Z")
    assert (answer["is_open"], answer["next_open"]) == (False, "2024-07-11T13:30:00Z")
    assert answer["warnings"] == ["the calendar has no row for 2024-07-10: the market counts as closed"]


def test_the_date_is_the_one_on_the_market_s_clock(xasx: Exchange) -> None:
    xasx.write("2026-12-21", is_open=False)
    assert "warnings" not in xasx.at("2026-12-20T13:00:00Z")
    assert "2026-12-20" in xasx.at("2026-12-20T12:59:59Z")["warnings"][0]


def test_an_empty_calendar_knows_nothing(new_market: Callable[..., Exchange]) -> None:
    answer = new_market().at("2026-12-21T12:00:00Z")
    assert (answer["is_open"], answer["session"], answer["next_open"]) == (False, None, None)
    assert len(answer["warnings"]) == 2


def test_what_is_no_instant_is_refused(xnys: Exchange) -> None:
    path, client = "/markets/xnys/is-open", xnys.workspace.robot
    assert refused_fields(client.get(path, params={"at": "2026-12-21T10:00:00"})) == {"at": "invalid_timestamp"}
    problem(client.get("/markets/none/is-open"), 404, "not_found")
